//! Servers that answer well, badly, late, too much, or not at all.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::thread;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A server of one call: it is given the request and returns what it sends, one datagram each.
fn socket_that(answers: impl FnOnce(Value) -> Vec<Vec<u8>> + Send + 'static) -> (TempDir, Client) {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("rpc.sock");
    let server = UnixDatagram::bind(&path).expect("a socket");
    thread::spawn(move || {
        let mut request = vec![0; 9000];
        let (length, from) = server.recv_from(&mut request).expect("a request");
        for answer in answers(serde_json::from_slice(&request[..length]).expect("JSON")) {
            server.send_to_addr(&answer, &from).expect("it is taken");
        }
    });
    let client = Client::new(Address::Socket(path.display().to_string()));
    (dir, client)
}

fn web_server_that(answer: Vec<u8>) -> Client {
    web_server(answer, false)
}

/// A web server for one call. If it stalls, nothing comes behind the answer, but the connection stays until the client gives up.
fn web_server(answer: Vec<u8>, stalls: bool) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/RPC", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&answer);
        if stalls {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    Client::new(Address::Url(url))
}

/// Whatever is missing of the answer, the server may have done what it was asked for.
#[test]
fn an_answer_over_http_that_never_ends() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\": 1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"id\": 1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"id\": 1,\r\n",
    ] {
        let failure = web_server(answer.to_vec(), true).call("a.b", &json!([])).expect_err("a failure");
        assert!(matches!(failure, Failure::SilentUrl(..)), "{failure:?}");
        assert!(failure.is_after_sending());
    }
    let wrong = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{\"id\": 1".to_vec();
    let failure = web_server_that(wrong).call("a.b", &json!([])).expect_err("a failure");
    assert!(failure.is_after_sending(), "{failure:?}");
}

fn bytes(value: Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[test]
fn a_result_and_a_fault_come_back() {
    let (_dir, mut client) = socket_that(|request| {
        assert_eq!(request, json!({"jsonrpc": "2.0", "method": "a.b", "params": [7], "id": 1}));
        let late = bytes(json!({"id": 99, "result": "of another call"}));
        vec![late, bytes(json!({"id": 1, "result": {"x": 1}}))]
    });
    assert_eq!(client.call("a.b", &json!([7])), Ok(json!({"x": 1})));
    let fault = json!({"id": 1, "error": {"code": 404, "message": "no \u{1b}[2J"}});
    let (_dir, mut client) = socket_that(|request| {
        assert_eq!(request.get("params"), None, "an empty list is omitted");
        vec![bytes(fault)]
    });
    assert_eq!(client.call("a.b", &json!([])), Err(Failure::Fault(404, "no \\x1b[2J".into())));
    let missing = json!({"id": 1, "error": {"code": 500, "message": "Method Not Found"}});
    let (_dir, mut client) = socket_that(|_| vec![bytes(missing)]);
    assert_eq!(client.call("presence_b2b.find", &json!([])), Err(Failure::Missing("presence_b2b.find".into())));
}

#[test]
fn bad_answers_are_told_apart() {
    let of = |answer: Vec<u8>| {
        let (_dir, mut client) = socket_that(|_| vec![answer]);
        client.call("a.b", &json!([])).expect_err("a failure")
    };
    assert_eq!(of(b"{\"id\": 1, \"result\": [1, 2".to_vec()), Failure::CutOff);
    assert_eq!(of(b"hello\x1b".to_vec()), Failure::NotJson("hello\\x1b".into()));
    assert!(matches!(of(b"{\"id\": 1}".to_vec()), Failure::NotJson(_)));
    assert!(matches!(of(b"[]".to_vec()), Failure::NotJson(_)));
    assert!(matches!(of(Vec::new()), Failure::NotJson(_)));
}

#[test]
fn a_server_that_is_silent_missing_or_forbidden() {
    let (_dir, mut client) = socket_that(|_| Vec::new());
    assert_eq!(client.call("a.b", &json!([])), Err(Failure::Silent("a.b".into(), 2)));

    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("rpc.sock");
    let named = path.display().to_string();
    let mut client = Client::new(Address::Socket(named.clone()));
    assert_eq!(client.call("a.b", &json!([])), Err(Failure::NoSocket(named.clone())));
    drop(UnixDatagram::bind(&path).expect("a socket"));
    assert_eq!(client.call("a.b", &json!([])), Err(Failure::NobodyListens(named.clone())));
    fs::set_permissions(&path, Permissions::from_mode(0o000)).expect("rights");
    let refused = client.call("a.b", &json!([]));
    // Root has every right.
    assert!(matches!(refused, Err(Failure::NoRight(_) | Failure::NobodyListens(_))), "{refused:?}");
}

#[test]
fn it_comes_over_http() {
    let http = |head: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    let call = |answer: Vec<u8>| web_server_that(answer).call("a.b", &json!([]));
    assert_eq!(call(http("200 OK", "{\"id\": 1, \"result\": 5}")), Ok(json!(5)));
    let fault = "{\"id\": 1, \"error\": {\"code\": 404, \"message\": \"none\"}}";
    assert_eq!(call(http("404 Not Found", fault)), Err(Failure::Fault(404, "none".into())));
    assert_eq!(call(http("404 Not Found", "<html>")), Err(Failure::Http(404, "Not Found".into())));
    assert!(matches!(call(b"SIP/2.0 200 OK\r\n\r\n".to_vec()), Err(Failure::NotJson(_))));
    let endless = ["HTTP/1.1 200 OK\r\n\r\n".to_owned(), "x".repeat(MOST + 9)].concat();
    assert_eq!(call(endless.into_bytes()), Err(Failure::TooLarge(MOST)));
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\": 1".to_vec();
    // What minreq makes of them must not look like a status of the server.
    for (answer, failure) in
        [(short, "ended in the middle of the answer"), (Vec::new(), "closed the connection without")]
    {
        let failed = call(answer).expect_err("a failure").to_string();
        assert!(failed.contains(failure) && !failed.contains("503") && !failed.contains("dgram"), "{failed}");
    }
    let cut = call(http("200 OK", "{\"id\": 1, \"result\": [1, 2"));
    assert!(matches!(cut, Err(Failure::Broken(_))), "{cut:?}");
    let unavailable = call(http("503 Service Unavailable", "<html>"));
    assert_eq!(unavailable, Err(Failure::Http(503, "Service Unavailable".into())));
    assert!(matches!(call(b"hello\r\n\r\nworld".to_vec()), Err(Failure::NotJson(_))));
    assert!(matches!(call(b"\xff\xfe\x80\r\n\r\n".to_vec()), Err(Failure::NotJson(_))));
    let mut nobody = Client::new(Address::Url("http://127.0.0.1:1/RPC".into()));
    assert!(matches!(nobody.call("a.b", &json!([])), Err(Failure::NobodyListens(_))));
}

proptest! {
    #[test]
    fn no_answer_breaks_the_reader(answer: Vec<u8>) {
        let _ = envelope::result(&answer, "a.b", 1);
    }
}
