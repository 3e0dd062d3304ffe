"""
How `tasks.core.certificate` comes to its verdict. In the order of the way through:

    archive, pem, der, identify    what a file is
    intake, formats                the pieces in all files; what is set aside, and how it is converted
    contents                       the key, the leaf and the others
    leaf, public_key, private_key  readings of one certificate, one key
    chain                          from the leaf to a root
    terms, case, checks            by what is judged, and every rule
    findings, commands             what is said, and what mends it
    verdict, report                what comes out, and how it is written
"""
