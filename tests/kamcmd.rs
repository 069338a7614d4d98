//! The RPC commands as operators type them, through the server's own tool.

use std::process::Command;

use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// It sends whatever looks like a number as an integer, and the commands take it where they want text.
#[test]
fn kamcmd_understands_them_all() {
    let peer = Endpoint::udp();
    let server =
        Server::b2b().b2b_param("on_error_retry_time", 600).b2b_param("max_subscribe_delay", 100_000).module("ctl");
    let server = server.modparam("ctl", "binrpc", "unix:{dir}/ctl").start();
    leaves_nothing(&server, || {
        let kamcmd = |arguments: &[&str]| {
            let socket = format!("unix:{}/ctl", server.dir().display());
            let output = Command::new("kamcmd").args(["-s", &socket]).args(arguments).output().expect("kamcmd runs");
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        let (alice, watcher) = (peer.uri("alice"), server.uri("watcher"));
        let id = kamcmd(&["presence_b2b.subscribe", &alice, &watcher]);
        let id = id.trim();
        assert!(id.parse::<u32>().is_ok(), "{id}");
        let shown = kamcmd(&["presence_b2b.show", id]);
        for part in [format!("id: {id}\n"), format!("record: {alice}\n"), "state: waiting\n".into()] {
            assert!(shown.contains(&part), "{shown} lacks {part}");
        }
        let list = kamcmd(&["presence_b2b.list", "0", "5"]);
        assert!(list.contains(&format!("subscriber: {watcher}\n")), "{list}");
        let trace = kamcmd(&["presence_b2b.trace", "detailed"]);
        assert!(trace.contains("subscriptions: 1\n") && trace.contains("state: waiting\n"), "{trace}");
        assert!(kamcmd(&["presence_b2b.refresh", id]).contains("next_action_in: "));
        let subscribe = peer.expect_request("SUBSCRIBE", SOON);
        peer.reply(&subscribe, 404, "Not Here");
        eventually(SOON, "it waits again", || {
            kamcmd(&["presence_b2b.show", id]).contains("retries: 1\n").then_some(())
        });
        assert!(kamcmd(&["presence_b2b.unsubscribe", "7"]).contains("error: 404 - there is no subscription 7"));
        kamcmd(&["presence_b2b.unsubscribe", id]);
        server.await_no_subscription();
        for command in ["trace", "list", "show", "subscribe", "unsubscribe", "refresh"] {
            let help = kamcmd(&["help", &format!("presence_b2b.{command}")]);
            assert!(help.contains("Parameters: "), "{command}: {help}");
        }
    });
    server.stop();
}
