// Which bundle serves a handshake, and whether plain HTTP is sent on to HTTPS. Read with njs, in nginx.
import fs from 'fs';

const BUNDLE = /\/bundles\/[0-9a-f]{64}\.pem$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const FORBIDDEN = /[^a-z0-9.-]/;

// The rule of `parse_hostname`: what a visitor sends as SNI or Host becomes part of a path only if it keeps it.
function hostname(text) {
    const name = (text || '').toLowerCase();
    // apart from LABEL, because a `$` may match before a final newline
    if (name.length > 253 || FORBIDDEN.test(name)) {
        return '';
    }
    const labels = name.split('.');
    return labels.length > 1 && labels.every((label) => LABEL.test(label)) ? name : '';
}

// One look at the link: nginx then opens the bundle by its own name, which never changes its content.
function follow(link) {
    try {
        const path = fs.realpathSync(ngx.prefix + link);
        return BUNDLE.test(path) ? path : '';
    } catch (e) {
        return '';
    }
}

// The name's own bundle, else the wildcard of its parent, else piggyback.
function bundle(r) {
    const name = hostname(r.variables.ssl_server_name);
    return (name && (follow('hosts/' + name) || follow('hosts/_wildcard.' + name.slice(name.indexOf('.') + 1))))
        || follow('default');
}

function forceHTTPS(r) {
    const name = hostname(r.variables.host);
    try {
        return name && fs.statSync(ngx.prefix + 'force-https/' + name).isFile() ? '1' : '';
    } catch (e) {
        return '';
    }
}

export default { bundle, forceHTTPS };
