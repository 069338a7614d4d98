# Prints the stanzas of a deb822 source list that offer one of the given URIs, as deb-src stanzas.
# Variable: uris, one a line, without trailing slash.
BEGIN {
    split(uris, list, "\n")
    for (i in list) wanted[list[i]] = 1
    start()
}
function start() { body = ""; types = ""; uri = ""; enabled = 1 }
function finish(    n, i, part, kept) {
    if (enabled && types ~ /(^|[ \t])deb([ \t]|$)/) {
        n = split(uri, part, /[ \t]+/)
        for (i = 1; i <= n; i++) {
            sub(/\/+$/, "", part[i])
            if (part[i] in wanted) kept = kept " " part[i]
        }
        if (kept != "") printf "Types: deb-src\nURIs:%s\n%s\n", kept, body
    }
    start()
}
/^#/ { next }
/^[ \t]*$/ { finish(); next }
/^[ \t]/ { # the continuation of the field before
    if (field == "types") types = types " " $0
    else if (field == "uris") uri = uri " " $0
    else if (field != "skip") body = body $0 "\n"
    next
}
{
    name = tolower($0); sub(/:.*/, "", name)
    value = $0; sub(/^[^:]*:[ \t]*/, "", value)
    field = name
    if (name == "types") types = value
    else if (name == "uris") uri = value
    else if (name == "enabled") { enabled = (tolower(value) !~ /^(no|false|off|0)/); field = "skip" }
    else if (name == "architectures" || name == "languages" || name == "targets") field = "skip" # of binary packages only
    else body = body $0 "\n"
}
END { finish() }
