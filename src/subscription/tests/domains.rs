//! Where credentials are valid, and which schemes are too weak for them.

use super::*;
use crate::subscription::digest::place;
use crate::testing::uris;

/// In a record's domain, as a name.
const INSIDE: &[u8] = b"sip:alice@PA.example.com.:5070";

const OUTSIDE: &[u8] = b"sip:alice@attacker.example";

const ASKED: &[u8] = b"Digest realm=\"known\", nonce=\"n\", qop=\"auth\"";

/// Domains by the values of `credential_domain`.
fn within(text: &str, proxies: &[&str]) -> Domains {
    let (realm, domains) = Domains::parse(text.as_bytes()).unwrap();
    assert_eq!(realm.as_deref(), Some(&b"known"[..]));
    Domains::listed(domains, proxies.iter().map(|uri| uri.as_bytes()))
}

fn redirect(life: &mut Life, code: u16, to: &[u8]) {
    let cseq = life.request().cseq;
    life.give(Input::Reply(Reply { cseq, code, redirect: uris(&[to]), ..Reply::default() }));
    life.due();
}

/// Challenges the request. The reason if the challenge is refused, otherwise the number of answers in the next request.
fn challenge(life: &mut Life, challenger: Challenger, value: &[u8]) -> Result<usize, String> {
    let cseq = life.request().cseq;
    let code = if challenger == Challenger::End { 401 } else { 407 };
    let challenges = &[Challenge { challenger, value }];
    let output = life.give(Input::Reply(Reply { cseq, code, challenges, ..Reply::default() }));
    match output.news {
        Some(_) => Err(told(&output).2),
        None => {
            life.due();
            Ok(life.request().authorizations.len())
        }
    }
}

fn ask(life: &mut Life) -> Result<usize, String> {
    challenge(life, Challenger::End, ASKED)
}

const NOT_HERE: &str = "no credentials for this host";

#[test]
fn a_redirection_out_of_the_domain_gets_no_answer() {
    for (target, answered) in [
        (INSIDE, true),
        (b"sip:bob@EXAMPLE.com;transport=tcp", true),
        (OUTSIDE, false),
        (b"sip:alice@badexample.com", false),
        (b"sip:alice@example.com.attacker.example", false),
        (b"sip:example.com@attacker.example", false),
        (b"sip:alice@192.0.2.1", false),
        (b"sip:alice@[2001:db8::1]:5060", false),
        (b"sip:alice@example.com;maddr=192.0.2.1", false),
        (b"sip:alice@attacker.example;maddr=example.com", false),
        (b"sip:alice@attacker.example;x;MADDR=pa.example.com;lr", false),
        (b"sip:alice@example.com;maddr=Example.COM", true),
        (b"sip:alice@example.com;maddr=example.com;maddr=192.0.2.1", false),
    ] {
        let mut life = Life::asking();
        redirect(&mut life, 302, target);
        let wanted = if answered { Ok(1) } else { Err(NOT_HERE.to_owned()) };
        assert_eq!(ask(&mut life), wanted, "{}", String::from_utf8_lossy(target));
        // The next attempt asks the record again.
        if !answered {
            life.due();
            assert_eq!(life.request().target, RECORD);
            assert_eq!(ask(&mut life), Ok(1));
        }
    }
}

#[test]
fn a_contact_by_address_is_the_records_own_dialog() {
    let mut life = Life::active(600);
    assert_eq!(life.subscription.dialog.as_ref().unwrap().target(), NOTIFIER);
    life.due();
    assert_eq!(ask(&mut life), Ok(1));
}

#[test]
fn a_dialog_that_a_redirection_has_made_remembers_it() {
    for (target, answer) in [(OUTSIDE, Err(NOT_HERE.to_owned())), (INSIDE, Ok(1))] {
        let mut life = Life::asking();
        redirect(&mut life, 302, target);
        life.reply(200);
        life.notify("active");
        life.due();
        assert_eq!((life.request().is_initial(), ask(&mut life)), (false, answer));
    }
}

#[test]
fn what_the_record_has_asked_for_is_not_shown_elsewhere() {
    let mut life = Life::asking();
    assert_eq!(ask(&mut life), Ok(1));
    life.reply(200);
    life.notify("active");
    life.due();
    assert_eq!(life.request().authorizations.len(), 1);
    redirect(&mut life, 302, OUTSIDE);
    assert_eq!(life.request().authorizations.len(), 0);

    let mut life = Life::asking();
    life.credentials[0].domains = within("known=*", &[]);
    redirect(&mut life, 302, OUTSIDE);
    assert_eq!(ask(&mut life), Ok(1));
    life.reply(200);
    life.notify("active");
    life.notify("terminated;reason=deactivated");
    life.due();
    assert_eq!(
        (life.request().target.as_slice(), life.request().authorizations.len()),
        (RECORD, 0),
        "nor the other way"
    );
}

#[test]
fn a_proxy_of_a_305_is_a_redirection() {
    for (proxy, answer) in [(OUTSIDE, Err(NOT_HERE.to_owned())), (INSIDE, Ok(1))] {
        let mut life = Life::asking();
        redirect(&mut life, 305, proxy);
        assert_eq!(life.request().via, proxy);
        assert_eq!(challenge(&mut life, Challenger::Proxy, ASKED), answer);
    }
}

#[test]
fn the_outbound_proxy_is_answered_wherever_the_request_goes() {
    for (domains, answer) in [
        (Domains::OfRecord, Ok(1)),
        (within("known=proxy.example", &["sip:10.0.0.1", "sip:p1.proxy.example;lr"]), Ok(1)),
        (within("known=example.org", &["sip:10.0.0.1"]), Err(NOT_HERE.to_owned())),
    ] {
        let mut life = Life::asking();
        life.policy.proxies = 1;
        life.credentials[0].domains = domains;
        redirect(&mut life, 302, OUTSIDE);
        assert_eq!(challenge(&mut life, Challenger::Proxy, ASKED), answer);
        let mut life = Life::asking();
        life.policy.proxies = 1;
        redirect(&mut life, 302, OUTSIDE);
        assert_eq!(challenge(&mut life, Challenger::End, ASKED), Err(NOT_HERE.to_owned()), "who is behind it is not");
    }
}

#[test]
fn domains_of_a_credential_take_the_place_of_the_records() {
    for (domains, at_record, at_other) in [
        ("known=attacker.example", false, true),
        ("known=example.com", true, false),
        ("known=example.com, attacker.example", true, true),
        ("known=com.", true, false),
        ("known=*", true, true),
    ] {
        let (mut record, mut other) = (Life::asking(), Life::asking());
        for life in [&mut record, &mut other] {
            life.credentials[0].domains = within(domains, &[]);
        }
        redirect(&mut other, 302, OUTSIDE);
        assert_eq!((ask(&mut record).is_ok(), ask(&mut other).is_ok()), (at_record, at_other), "{domains}");
    }
}

#[test]
fn credentials_of_a_subscription_stay_in_its_records_domain() {
    let mut life = Life::asking();
    life.give(Input::Credentials { username: b"own", secret: Concealed(b"x") });
    redirect(&mut life, 302, OUTSIDE);
    assert_eq!(ask(&mut life), Err(NOT_HERE.to_owned()));
}

#[test]
fn lists_of_domains_are_read() {
    let one = |realm: Option<&str>, domains: &[&str]| {
        let domains = domains.iter().map(|domain| domain.as_bytes().to_vec()).collect();
        Some((realm.map(|realm| realm.as_bytes().to_vec()), domains))
    };
    for (text, read) in [
        ("r=a.example", one(Some("r"), &["a.example"])),
        ("a: b=c=192.0.2.1, [::1] ,x", one(Some("a: b=c"), &["192.0.2.1", "[::1]", "x"])),
        ("*=*", one(None, &["*"])),
        ("=x", one(None, &["x"])),
        ("r", None),
        ("r=", None),
        ("r=a,,b", None),
        ("r=sip;x", None),
    ] {
        assert_eq!(Domains::parse(text.as_bytes()), read, "{text}");
    }
    assert_eq!(place(b"sips:a;x=y?z@[::1]:5061;q=1"), b"[::1]");
    assert_eq!(place(b"sip:h.example?maddr=x"), b"h.example");
    assert_eq!(place(b"sip:a@h;x;MADDR=192.0.2.7?maddr=x"), b"");
    assert_eq!(place(b"sip:a@192.0.2.7;x;MADDR=192.0.2.7?maddr=x"), b"192.0.2.7");
}

#[test]
fn what_is_too_weak_is_passed_over() {
    let (md5, sha) =
        ("Digest realm=known, nonce=n, qop=auth", "Digest realm=known, nonce=n, qop=auth, algorithm=SHA-256");
    let bare = "Digest realm=known, nonce=n, algorithm=SHA-256";
    for (require_qop, allow_md5, value, answered) in [
        (false, true, md5, true),
        (false, true, bare, true),
        (false, false, md5, false),
        (false, false, sha, true),
        (true, true, md5, true),
        (true, true, bare, false),
        (true, false, sha, true),
        (false, false, &format!("{md5}, {sha}"), true),
        (true, true, &format!("{bare}, {md5}"), true),
        (false, false, "Digest realm=known, nonce=n, algorithm=MD5-sess, qop=auth", false),
    ] {
        let mut life = Life::asking();
        (life.policy.require_qop, life.policy.allow_md5) = (require_qop, allow_md5);
        let wanted = if answered { Ok(1) } else { Err("digest weaker than allowed".to_owned()) };
        assert_eq!(challenge(&mut life, Challenger::End, value.as_bytes()), wanted, "{value}");
    }
}

/// A request whose URI cannot be quoted is sent without an answer.
#[test]
fn credentials_are_rejected_only_where_some_were_sent() {
    let mut life = Life::unstarted(policy());
    let (record, package) = (b"sip:al\\ice@example.com", package::PRESENCE.number);
    let subject = Subject { record, subscriber: SUBSCRIBER, package, event_id: b"" };
    life.subscription = Subscription::try_new(subject, life.account.clone()).unwrap();
    life.give(Input::Start);
    for _ in 0..2 {
        life.due();
        assert_eq!(ask(&mut life), Err("no credentials for the realm".to_owned()));
    }
    let mut life = Life::asking();
    assert_eq!(ask(&mut life), Ok(1));
    assert_eq!(ask(&mut life), Err("credentials rejected".to_owned()));
    // The credentials are removed between the challenge and the repetition.
    let mut life = Life::asking();
    let (cseq, all) = (life.request().cseq, std::mem::take(&mut life.credentials));
    life.credentials = all.clone();
    let challenges = &[Challenge { challenger: Challenger::End, value: ASKED }];
    life.give(Input::Reply(Reply { cseq, code: 401, challenges, ..Reply::default() }));
    life.credentials = Vec::new();
    life.due();
    assert_eq!(life.request().authorizations.len(), 0);
    life.credentials = all;
    assert_eq!(ask(&mut life), Ok(1));
}
