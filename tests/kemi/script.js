// Calls what a request names, and shows what a message has. `script.lua`, `script.py` and `native()` of `languages.rs` do the same.
var FIELDS = [@FIELDS@];
var STATE_FIELDS = [@STATE_FIELDS@];
var messages = 0;

function argument(n) {
    var text = KSR.pv.gete("$hdr(X-" + n + ")");
    switch (KSR.pv.gete("$hdr(X-Kind-" + n + ")")) {
        case "number": return Number(text);
        case "boolean": return true;
        case "nothing": return null;
        case "undefined": return undefined;
        case "table": return {};
    }
    return text;
}

function show(variable) {
    var value = KSR.pv.get(variable);
    if (value === null || value === undefined) {
        return "null";
    }
    return (typeof value == "number" ? "number " : "text ") + value;
}

function showAll(names, first, last) {
    return names.map(function (name) { return name + "=" + show(first + name + last) + "|"; }).join("");
}

function call(name, count) {
    var given = [];
    for (var n = 1; n <= count; n++) {
        given.push(argument(n));
    }
    if (name == "exists") {
        return typeof KSR.presence_b2b[given[0]];
    }
    if (name == "show") {
        KSR.presence_b2b.b2b_state(given[0], "", given[1]);
        return showAll(STATE_FIELDS, "$b2b(", ")") + showAll(STATE_FIELDS, "$b2b(" + given[0] + "=>", ")");
    }
    if (name == "hexadecimal") {
        KSR.presence_b2b.b2b_state(given[0], "", "message-summary");
        return show("$(b2b(body){s.encode.hexa})");
    }
    if (name == "unknown") {
        return show("$qsa(recrod)") + " " + show("$b2b(baisc)");
    }
    return KSR.presence_b2b[name].apply(null, given);
}

function ksr_request_route() {
    if (KSR.is_method("NOTIFY")) {
        var handled = KSR.presence_b2b.handle_notify();
        KSR.notice("HANDLED " + handled + ".END\n");
        if (handled < 0) {
            KSR.sl.sl_send_reply(481, "Subscription does not exist");
        }
        return;
    }
    var name = KSR.pv.gete("$hdr(X-Call)");
    if (name == "raise") {
        throw new Error("boom in the route");
    }
    if (name == "answered") {
        KSR.sl.sl_send_reply(200, "OK");
        KSR.notice("RETURNED " + KSR.presence_b2b.handle_notify() + ".END\n");
        return;
    }
    var result;
    try {
        result = call(name, Number(KSR.pv.gete("$hdr(X-Count)")));
    } catch (error) {
        result = "raised " + error;
    }
    KSR.notice("RETURNED " + result + ".END\n");
    KSR.sl.sl_send_reply(200, "OK");
}

function ksr_local_request(event) {
    KSR.hdr.append("X-Local: " + event + " " + show("$qsa(record)") + "\r\n");
}

function on_qsa(event) {
    messages++;
    if (messages == @EARLY@) {
        throw new Error("boom before");
    }
    KSR.notice("SHOWN " + event + "|" + showAll(FIELDS, "$qsa(", ")") + ".END\n");
    if (messages == @LATE@) {
        throw new Error("boom after");
    }
}
