# Prints the lines of a sources.list that offer one of the given URIs, as deb822 deb-src stanzas.
# Variable: uris, one a line, without trailing slash.
BEGIN {
    split(uris, list, "\n")
    for (i in list) wanted[list[i]] = 1
}
$1 == "deb" {
    line = $0
    sub(/[ \t]*#.*/, "", line)
    sub(/^[ \t]*deb[ \t]+/, "", line)
    options = ""
    if (match(line, /^\[[^]]*\][ \t]*/)) {
        options = substr(line, 2, index(line, "]") - 2)
        line = substr(line, RLENGTH + 1)
    }
    n = split(line, part, /[ \t]+/)
    uri = part[1]
    sub(/\/+$/, "", uri)
    if (!(uri in wanted)) next
    components = ""
    for (i = 3; i <= n; i++) components = components " " part[i]
    printf "Types: deb-src\nURIs: %s\nSuites: %s\n", uri, part[2]
    if (components != "") printf "Components:%s\n", components
    n = split(options, option, /[ \t]+/)
    for (i = 1; i <= n; i++) {
        value = option[i]
        sub(/^[^=]*=/, "", value)
        gsub(/,/, " ", value)
        if (option[i] ~ /^signed-by=/) printf "Signed-By: %s\n", value
        if (option[i] ~ /^trusted=/) printf "Trusted: %s\n", value
        if (option[i] ~ /^check-valid-until=/) printf "Check-Valid-Until: %s\n", value
    }
    print ""
}
