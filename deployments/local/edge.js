// Which bundle serves a handshake, and what is done to force HTTPS. Read with njs, in nginx.
import fs from 'fs';

const BUNDLE = /\/bundles\/[0-9a-f]{64}\.pem$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
// The rule of `find_rule`; a line that does not keep it is no rule.
const RULE = /^(?:redirect|(redirect )?max-age=(0|[1-9][0-9]{0,7}))$/;
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

// The name's own bundle, else the wildcard of its parent, else nothing: nginx then ends the handshake with an alert.
// Piggyback is for who names no hostname.
function bundle(r) {
    const name = hostname(r.variables.ssl_server_name);
    return name ? follow('hosts/' + name) || follow('hosts/_wildcard.' + name.slice(name.indexOf('.') + 1))
        : follow('default');
}

function rule(r) {
    const name = hostname(r.variables.host);
    try {
        const text = name && fs.readFileSync(ngx.prefix + 'force-https/' + name, 'utf8');
        const line = text.slice(0, -1);
        // apart from RULE, because a `$` may match before a final newline
        return text === line + '\n' && line.indexOf('\n') < 0 ? RULE.exec(line) : null;
    } catch (e) {
        return null;
    }
}

function forceHTTPS(r) {
    const found = rule(r);
    return found && found[0].startsWith('redirect') ? '1' : '';
}

function hsts(r) {
    const found = rule(r);
    return found && found[2] !== undefined ? 'max-age=' + found[2] : '';
}

export default { bundle, forceHTTPS, hsts };
