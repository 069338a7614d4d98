//! Requests that take a way of the subscription's own: options `outbound` and `target`.

use super::*;
use crate::grammar::Transport;
use crate::subscription::digest::place;
use crate::testing::uris;

const PROXY: &str = "sip:p.proxy.example;transport=tcp;lr";

fn through(policy: Policy) -> Life {
    let options = Options { outbound: PROXY.to_owned(), ..Options::default() };
    let mut life = Life::with(&options, policy);
    assert!(life.subscription.options().differences(&options).is_empty());
    assert_eq!(life.subscription.options().differences(&Options::default()), ["outbound"]);
    assert_eq!(life.snapshot().options, options);
    life.give(Input::Start);
    life.due();
    life
}

#[test]
fn its_own_proxy_takes_the_place_of_all_others() {
    let mut life = through(Policy { proxies: 3, ..policy() });
    assert_eq!(life.request().via, PROXY.as_bytes());
    let output = life.reply_with(503, |reply| reply.retry_after = Some(77));
    assert_eq!(told(&output), (Status::Terminated, 503, "phrase".into(), Some(77)), "there is no other one");
    life.due();
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x"]));
    life.due();
    assert_eq!((&life.request().target[..], &life.request().via[..]), (&b"sip:a@x"[..], PROXY.as_bytes()));
    life.reply(200);
    life.notify("active");
    life.due();
    assert_eq!((&life.request().target[..], &life.request().via[..]), (NOTIFIER, PROXY.as_bytes()), "a refresh");
    life.reply(200);
    life.give(Input::Unsubscribe);
    life.due();
    assert_eq!((life.request().expires, &life.request().via[..]), (0, PROXY.as_bytes()));
}

#[test]
fn the_proxy_of_a_305_is_not_asked_instead() {
    let mut life = through(policy());
    let output = life.reply_with(305, |reply| reply.redirect = uris(&[b"sip:other.example"]));
    assert_eq!(told(&output).1, 305);
}

/// The proxy challenges after a redirection out of the record's domain.
fn answers(domains: Domains, challenger: Challenger) -> usize {
    let mut life = through(Policy { proxies: 1, ..policy() });
    life.credentials[0].domains = domains;
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:alice@elsewhere.example"]));
    life.due();
    let asked = &[Challenge { challenger, value: b"Digest realm=\"known\", nonce=\"n\", qop=\"auth\"" }];
    let code = if challenger == Challenger::End { 401 } else { 407 };
    let cseq = life.request().cseq;
    if life.give(Input::Reply(Reply { cseq, code, challenges: asked, ..Reply::default() })).news.is_some() {
        return 0;
    }
    life.due();
    life.request().authorizations.len()
}

#[test]
fn its_own_proxy_is_in_the_domain_of_the_credentials() {
    assert_eq!(place(PROXY.as_bytes()), b"p.proxy.example");
    let listed = |text: &str| {
        let (_, domains) = Domains::parse(text.as_bytes()).unwrap();
        Domains::listed(domains, [&b"sip:10.0.0.1"[..]].into_iter())
    };
    for (domains, answered) in [
        (Domains::OfRecord, 1),
        (listed("known=proxy.example"), 1),
        (listed("known=10.0.0.1"), 0),
        (listed("known=example.com"), 0),
    ] {
        assert_eq!(answers(domains.clone(), Challenger::Proxy), answered, "{domains:?}");
    }
    assert_eq!(answers(Domains::OfRecord, Challenger::End), 0, "who is behind it is not");
}

const SOURCE: &str = "192.0.2.99:1024";

fn following() -> Life {
    let mut life = Life::with(&Options::parse(b"target=source").unwrap(), policy());
    life.give(Input::Start);
    life.due();
    life
}

/// The newest NOTIFY came from there.
fn comes_from(life: &mut Life, address: &str, transport: Transport) {
    let (cseq, address) = (life.remote_cseq, address.parse().unwrap());
    life.give(Input::Source { cseq, address, transport });
}

/// The Request-URI of the refresh that is sent next, and the URI that it is sent through, if any.
fn refresh(life: &mut Life) -> (Vec<u8>, String) {
    life.pass(secs(40));
    life.give(Input::Refresh);
    life.due();
    let request = life.request();
    (request.target.clone(), String::from_utf8(request.via.clone()).unwrap())
}

#[test]
fn refreshes_go_to_where_the_accepted_notifies_come_from() {
    let mut life = following();
    assert_eq!(life.request().via, b"");
    assert!(life.notify("active;expires=3600").wants_source, "before the 2xx as well");
    comes_from(&mut life, SOURCE, Transport::Udp);
    life.reply(200);
    assert_eq!(refresh(&mut life), (NOTIFIER.to_vec(), "sip:192.0.2.99:1024".into()));
    assert_eq!(life.snapshot().source, "sip:192.0.2.99:1024");
    life.reply(200);
    for (address, transport, uri) in [
        ("[2001:db8::1]:5070", Transport::Udp, "sip:[2001:db8::1]:5070"),
        ("[2001:db8::1]:5070", Transport::Tcp, "sip:[2001:db8::1]:5070;transport=tcp"),
        (SOURCE, Transport::Wss, "sip:192.0.2.99:1024;transport=wss"),
    ] {
        assert!(life.notify("active;expires=3600").wants_source);
        comes_from(&mut life, address, transport);
        assert_eq!(refresh(&mut life).1, uri);
        life.reply(200);
    }
    life.give(Input::Unsubscribe);
    life.due();
    assert_eq!((life.request().expires, &life.request().via[..]), (0, &b"sip:192.0.2.99:1024;transport=wss"[..]));
}

#[test]
fn only_the_newest_that_was_accepted_counts() {
    let mut life = following();
    life.reply(200);
    assert!(life.notify("active;expires=3600").wants_source);
    comes_from(&mut life, SOURCE, Transport::Udp);
    assert!(!life.notify_with("active", |notify| notify.event = b"dialog").wants_source, "489");
    assert!(!life.notify_with("active", |notify| notify.content = Content::Unsupported).wants_source, "415");
    assert!(!life.notify_with("active", |notify| notify.remote_tag = tag(b"stranger")).wants_source, "481");
    life.remote_cseq -= 4;
    assert!(!life.notify("active;expires=3600").wants_source, "repeated");
    let late =
        Input::Source { cseq: life.remote_cseq - 1, address: "10.0.0.1:1".parse().unwrap(), transport: Transport::Udp };
    life.give(late);
    life.remote_cseq -= 2;
    assert!(!life.notify("active").wants_source, "stale");
    assert_eq!(life.snapshot().source, "sip:192.0.2.99:1024");
    let mut other = Life::active(3600);
    assert!(!other.notify("active;expires=3600").wants_source, "it has not asked for it");
    comes_from(&mut other, SOURCE, Transport::Udp);
    assert_eq!(refresh(&mut other).1, "");
}

#[test]
fn a_route_set_goes_before_the_source_and_the_source_before_proxies() {
    let mut life = following();
    life.policy.proxies = 2;
    assert!(
        life.notify_with("active;expires=3600", |notify| notify.route_set = RouteSet::of(b"<sip:p;lr>")).wants_source
    );
    comes_from(&mut life, SOURCE, Transport::Udp);
    life.reply(200);
    assert_eq!(refresh(&mut life).1, "");
    assert!(!life.subscription.has_own_way());
    let mut life = Life::with(&Options::parse(b"target=source;outbound=sip:p").unwrap(), policy());
    life.policy.proxies = 2;
    life.give(Input::Start);
    life.due();
    assert_eq!(life.request().via, b"sip:p");
    life.reply(200);
    life.notify("active;expires=3600");
    comes_from(&mut life, SOURCE, Transport::Udp);
    assert_eq!(refresh(&mut life).1, "sip:192.0.2.99:1024");
    let output = life.reply_with(408, |reply| reply.is_local = true);
    assert_eq!(told(&output).1, 408, "no other proxy is tried");
}

#[test]
fn a_source_is_of_one_dialog_and_a_connection_does_not_outlive_itself() {
    let tcp = || {
        let mut life = following();
        life.reply(200);
        life.notify("active;expires=3600");
        comes_from(&mut life, SOURCE, Transport::Tcp);
        life
    };
    let mut life = tcp();
    life.reply(481);
    refresh(&mut life);
    life.reply(481);
    life.due();
    assert_eq!((life.request().remote_tag.len(), life.request().via.len()), (0, 0), "a new dialog");
    let mut life = tcp();
    assert_eq!(refresh(&mut life).1, "sip:192.0.2.99:1024;transport=tcp");
    life.reply_with(408, |reply| reply.is_local = true);
    assert_eq!(life.snapshot().source, "", "nobody listens there");
    let mut life = tcp();
    refresh(&mut life);
    let cseq = life.request().cseq;
    life.give(Input::SendFailed { cseq });
    assert_eq!(life.snapshot().source, "");
    let mut life = tcp();
    refresh(&mut life);
    let cseq = life.request().cseq;
    life.give(Input::Over { cseq, flow: flow(7) });
    life.reply_with(200, |reply| reply.flow = Some(flow(7)));
    assert_ne!(life.snapshot().source, "");
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.snapshot().source, "");
    let mut life = following();
    life.reply(200);
    life.notify("active;expires=3600");
    comes_from(&mut life, SOURCE, Transport::Udp);
    refresh(&mut life);
    life.reply_with(408, |reply| reply.is_local = true);
    assert_eq!(life.snapshot().source, "sip:192.0.2.99:1024", "a datagram may have been lost");
}

#[test]
fn a_sips_record_goes_to_no_source_without_tls() {
    let account = Accounted::new();
    let subject = Subject {
        record: b"sips:alice@example.com",
        subscriber: SUBSCRIBER,
        package: package::PRESENCE.number,
        event_id: b"",
    };
    let options = Options::parse(b"target=source").unwrap();
    let made = Subscription::try_new(subject, account).and_then(|made| made.try_with(&options)).unwrap();
    let mut life = Life::unstarted(policy()).beside(made);
    life.give(Input::Start);
    life.due();
    let secure = |notify: &mut Notify<'_>| notify.contact = Some(offered(b"sips:pa@192.0.2.1"));
    assert!(life.notify_with("active;expires=3600", secure).wants_source);
    for (transport, source) in [
        (Transport::Tls, "sip:192.0.2.99:1024;transport=tls"),
        (Transport::Tcp, ""),
        (Transport::Wss, "sip:192.0.2.99:1024;transport=wss"),
        (Transport::Udp, ""),
    ] {
        comes_from(&mut life, SOURCE, transport);
        assert_eq!(life.snapshot().source, source);
    }
}
