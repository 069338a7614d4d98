//! How the routes of many tests begin.

/// The beginning of a route that handles NOTIFYs first, without a transaction of its own.
pub const NOTIFIES: &str = r#"request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) {
            sl_send_reply("481", "Subscription does not exist");
        }
        exit;
    }
"#;

/// A route that handles NOTIFYs first and goes on like this: the rest of `request_route` with its last brace, and what comes behind it.
pub fn after_notifies(rest: &str) -> String {
    format!("{NOTIFIES}{rest}")
}
