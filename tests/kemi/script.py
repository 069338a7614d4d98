# As `script.js`.
import KSR

FIELDS = [@FIELDS@]
STATE_FIELDS = [@STATE_FIELDS@]


def argument(n):
    text = KSR.pv.gete(f"$hdr(X-{n})")
    kinds = {"number": int(text) if text.isdigit() else 0, "boolean": True, "nothing": None, "undefined": None, "table": {}}
    return kinds.get(KSR.pv.gete(f"$hdr(X-Kind-{n})"), text)


def show(variable):
    value = KSR.pv.get(variable)
    if value is None:
        return "null"
    return ("number " if isinstance(value, int) else "text ") + str(value)


def show_all(names, first, last):
    return "".join(f"{name}={show(first + name + last)}|" for name in names)


def call(name, count):
    given = [argument(n) for n in range(1, count + 1)]
    if name == "exists":
        return "function" if callable(getattr(KSR.presence_b2b, given[0], None)) else "undefined"
    if name == "show":
        KSR.presence_b2b.b2b_state(given[0], "", given[1])
        return show_all(STATE_FIELDS, "$b2b(", ")") + show_all(STATE_FIELDS, f"$b2b({given[0]}=>", ")")
    if name == "hexadecimal":
        KSR.presence_b2b.b2b_state(given[0], "", "message-summary")
        return show("$(b2b(body){s.encode.hexa})")
    if name == "unknown":
        return show("$qsa(recrod)") + " " + show("$b2b(baisc)")
    return getattr(KSR.presence_b2b, name)(*given)


def mod_init():
    return kamailio()


class kamailio:
    messages = 0

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_method("NOTIFY"):
            handled = KSR.presence_b2b.handle_notify()
            KSR.notice(f"HANDLED {handled}.END\n")
            if handled < 0:
                KSR.sl.sl_send_reply(481, "Subscription does not exist")
            return 1
        name = KSR.pv.gete("$hdr(X-Call)")
        if name == "raise":
            raise Exception("boom in the route")
        if name == "answered":
            KSR.sl.sl_send_reply(200, "OK")
            KSR.notice(f"RETURNED {KSR.presence_b2b.handle_notify()}.END\n")
            return 1
        try:
            result = call(name, int(KSR.pv.gete("$hdr(X-Count)")))
        except Exception as error:
            result = f"raised {error.__cause__ or error}"
        KSR.notice(f"RETURNED {result}.END\n")
        KSR.sl.sl_send_reply(200, "OK")
        return 1

    # Without it, app_python3 leaves an exception behind at each reply, which the next request gets.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_local_request(self, msg, event):
        KSR.hdr.append(f"X-Local: {event} {show('$qsa(record)')}\r\n")
        return 1

    def on_qsa(self, msg, event):
        self.messages += 1
        if self.messages == @EARLY@:
            raise Exception("boom before")
        KSR.notice(f"SHOWN {event}|{show_all(FIELDS, '$qsa(', ')')}.END\n")
        if self.messages == @LATE@:
            raise Exception("boom after")
        return 1
