//! Challenges read and answers computed, by the examples of the RFCs.

use super::*;
use crate::subscription::CredentialError;
use crate::subscription::digest::{Algorithm, Authorization, MOST_REALMS, ParsedChallenge, Qop, choose};

fn choose_all<'a>(challenges: &[(Challenger, &'a [u8])]) -> Result<Vec<ParsedChallenge<'a>>, Reason> {
    let challenges: Vec<_> = challenges.iter().map(|&(challenger, value)| Challenge { challenger, value }).collect();
    choose(&challenges, |_| true)
}

fn only(value: &[u8]) -> Result<ParsedChallenge<'_>, Reason> {
    choose_all(&[(Challenger::End, value)]).map(|chosen| chosen[0])
}

fn authorization(algorithm: &str, qop: Qop, realm: &str, nonce: &str, user: &str, password: &str) -> Authorization {
    Authorization {
        challenger: Challenger::End,
        username: user.into(),
        secret: Secret::Password(password.as_bytes().to_vec().into()),
        realm: realm.into(),
        nonce: nonce.into(),
        opaque: None,
        algorithm: Algorithm::find(algorithm.as_bytes()).unwrap(),
        names_algorithm: true,
        qop,
        cnonce: CNONCE,
        nc: 1,
    }
}

/// The hash of the parts with colons between them.
fn joined(algorithm: &str, parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    String::from_utf8(Algorithm::find(algorithm.as_bytes()).unwrap().hash.of(&parts)).unwrap()
}

fn parameter(value: &[u8], name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(value).into_owned();
    let from = value.find(&format!(" {name}="))? + name.len() + 2;
    let end = value[from..].find(", ").map_or(value.len(), |end| from + end);
    Some(value[from..end].to_owned())
}

fn response(authorization: &Authorization, method: &str, uri: &str) -> String {
    parameter(&authorization.value(method.as_bytes(), uri.as_bytes(), b"").unwrap(), "response").unwrap()
}

/// Values of independent implementations (Python's hashlib), with a cnonce of 16 digits.
#[test]
fn every_algorithm_and_quality() {
    let table = [
        ("MD5", Qop::None, "7b2cc3b30e75b4777ea31027084363fd"),
        ("MD5", Qop::Auth, "197d9a563321040151088b65ed78d4d2"),
        ("MD5", Qop::AuthInt, "76e8b542b554435dee634f97ed544a2e"),
        ("MD5-sess", Qop::None, "86543e98aadacd524dfbcc53ecd9c9dd"),
        ("MD5-sess", Qop::Auth, "b08a4383e90ebfc8085c7792f6a6ed2d"),
        ("MD5-sess", Qop::AuthInt, "a70ee2fa18e33a8d8ac6efd0d35e303e"),
        ("SHA-256", Qop::None, "a1306b0595a6c7fe96c448631fb5cfbd5107bd1fe1da729d978dd7446b812363"),
        ("SHA-256", Qop::Auth, "1d4262dacc6679ceb1280d7f274c34425726d4aaf98042b0766d13f90df2907e"),
        ("SHA-256", Qop::AuthInt, "6dedf5ed1bc6dfa76fde7f2a74bdcc6a060b5b0f5fc120126f700b8b3998fe5e"),
        ("SHA-256-sess", Qop::None, "3d99d4689357018630930a62aa8e23784bae6561dd46138caf547cda618c89a3"),
        ("SHA-256-sess", Qop::Auth, "f2301afd4b8206d6e42017d60149dce5f98554e07fd785bba5c566e4d89ff76c"),
        ("SHA-256-sess", Qop::AuthInt, "16e2295928aa0b1d922d01a4e88b20e6d64b6df9d6a048d2625a2036b624f2f1"),
        ("SHA-512-256", Qop::None, "93e9122020ea0624d2ca801426d5bfbeb93d10ff4cc24cb410af3920fa4730e7"),
        ("SHA-512-256", Qop::Auth, "c0b7b059a8c4d2e6393f77c177d7d70a06747073b6e9bf1d194d5e59d1661db5"),
        ("SHA-512-256", Qop::AuthInt, "85b754d50ecdb6263fd1dc6c4b827097d49d427a894ac9a2df021738fbf6ffc2"),
        ("SHA-512-256-sess", Qop::None, "90dbf56ced23dac8dbbabc95b9c81fe4eea76b429e65bcd83d6ac896133fa85c"),
        ("SHA-512-256-sess", Qop::Auth, "b7098e36edadd810d5be07d837f98d8b14f48b8e34b25ebcac03ebbf53e6555c"),
        ("SHA-512-256-sess", Qop::AuthInt, "e474b699bfc4380af8ae54ccedd2f26af04176e261135104d7841e89b65e9b04"),
    ];
    for (algorithm, qop, expected) in table {
        let one = authorization(
            algorithm,
            qop,
            "http-auth@example.org",
            "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "Mufasa",
            "Circle of Life",
        );
        assert_eq!(response(&one, "GET", "/dir/index.html"), format!("\"{expected}\""), "{algorithm} {qop:?}");
    }
}

/// RFC 2617 §3.5 and RFC 7616 §3.9.1 have cnonces of other lengths: the same computation, by hand.
#[test]
fn the_examples_of_the_rfcs() {
    let rfc2617 = joined(
        "MD5",
        &[
            &joined("MD5", &["Mufasa", "testrealm@host.com", "Circle Of Life"]),
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "00000001",
            "0a4f113b",
            "auth",
            &joined("MD5", &["GET", "/dir/index.html"]),
        ],
    );
    assert_eq!(rfc2617, "6629fae49393a05397450978507c4ef1");
    for (algorithm, expected) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let rfc7616 = joined(
            algorithm,
            &[
                &joined(algorithm, &["Mufasa", "http-auth@example.org", "Circle of Life"]),
                "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                "00000001",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                "auth",
                &joined(algorithm, &["GET", "/dir/index.html"]),
            ],
        );
        assert_eq!(rfc7616, expected, "{algorithm}");
    }
    // RFC 7616 §3.9.2, whose own response is a known erratum: the hash of the user name is right and has UTF-8 in it.
    assert_eq!(
        joined("SHA-512-256", &["J\u{e4}s\u{f8}n Doe", "api@example.org"]),
        "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    );
}

#[test]
fn the_header_has_what_was_asked_and_nothing_else() {
    let mut one = authorization("MD5", Qop::None, "r", "n", "a\"b\\c\u{e4}", "p");
    one.names_algorithm = false;
    let value = String::from_utf8(one.value(b"SUBSCRIBE", b"sip:x", b"").unwrap()).unwrap();
    assert!(
        value
            .starts_with("Digest username=\"a\\\"b\\\\c\u{e4}\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"")
    );
    assert!(value.ends_with('"') && value.matches(',').count() == 4, "{value}");
    one = Authorization { qop: Qop::AuthInt, opaque: Some(b"o\\\"p".to_vec()), nc: 0x1f, names_algorithm: true, ..one };
    let value = String::from_utf8(one.value(b"SUBSCRIBE", b"sip:x", b"").unwrap()).unwrap();
    assert!(
        value.ends_with(", algorithm=MD5, cnonce=\"0a4f113b0a4f113b\", opaque=\"o\\\"p\", qop=auth-int, nc=0000001f"),
        "{value}"
    );
    for uri in [&b"sip:\"x"[..], b"sip:x\r\nX: y", b"sip:\\"] {
        assert_eq!(one.value(b"SUBSCRIBE", uri, b""), None);
    }
}

#[test]
fn a_hash_does_for_a_password() {
    let hashed = joined("MD5", &["u", "r", "p"]);
    for (algorithm, fits) in [("MD5", true), ("MD5-sess", true), ("SHA-256", false)] {
        let plain = authorization(algorithm, Qop::Auth, "r", "n", "u", "p");
        let secret = Secret::parse(format!("HA1:{}", hashed.to_uppercase()).as_bytes()).unwrap();
        let other = Authorization { secret, ..plain.clone() };
        assert_eq!(response(&plain, "M", "u") == response(&other, "M", "u"), fits, "{algorithm}");
    }
}

#[test]
fn challenges_are_understood() {
    let asked = only(b"digest  Realm = \"a, \\\"b\\\"\" ,nonce=\"n=1,2\",, opaque=\"\", ALGORITHM=sha-256-SESS,qop=\"x, auth-int , AUTH\", stale=TRUE, domain=\"sip:x\", charset=UTF-8").unwrap();
    assert_eq!(asked.realm, b"a, \\\"b\\\"");
    assert_eq!((asked.algorithm.name(), asked.is_stale), ("SHA-256-sess", true));
    assert!(!only(b"Digest realm=r, nonce=n, stale=\"false\"").unwrap().is_stale);
    assert_eq!(only(b"Digest realm=r, nonce=n, realm=x").unwrap().realm, b"r");
    assert_eq!(
        only("Digest realm=\"J\u{e4}s\u{f8}n\", nonce=n".as_bytes()).unwrap().realm,
        "J\u{e4}s\u{f8}n".as_bytes()
    );
}

/// Forms that RFC 3261 §25.1 does not have, but that peers write and that have one meaning only.
#[test]
fn a_list_of_qualities_without_quotes_and_empty_values_are_understood() {
    let plain =
        only(b"Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", opaque=\"o\", algorithm=SHA-256").unwrap();
    for value in [
        "Digest realm=\"r\", qop=auth,auth-int, nonce=\"n\", opaque=\"o\", algorithm=SHA-256",
        "Digest realm=\"r\", nonce=\"n\", qop=auth-int, auth, opaque=\"o\", algorithm=SHA-256",
        "Digest qop=auth ,auth-conf,auth-int, realm=\"r\", nonce=\"n\", opaque=\"o\", algorithm=\"SHA-256\"",
        "Digest realm=\"r\", stale=, nonce=\"n\", opaque=, opaque=\"o\", qop=auth, algorithm=SHA-256",
    ] {
        assert_eq!(only(value.as_bytes()).as_ref(), Ok(&plain), "{value}");
    }
    let asked = only(b"Digest realm=\"r\", nonce=\"n\", opaque=, stale=, algorithm=, qop=auth").unwrap();
    assert_eq!((asked.opaque, asked.is_stale, asked.qop, asked.names_algorithm), (None, false, Qop::Auth, false));
    let asked = only(b"Digest realm=\"r\", nonce=\"n\", algorithm=\"\", qop=\"\"").unwrap();
    assert_eq!((asked.algorithm.name(), asked.qop, asked.names_algorithm), ("MD5", Qop::None, false));
    let asked = only(b"Negotiate, Digest realm=\"r\", nonce=\"n\", qop=auth-conf, auth-int").unwrap();
    assert_eq!(asked.qop, Qop::AuthInt);
    let two = choose_all(&[(
        Challenger::End,
        b"Digest realm=\"r\", nonce=\"n\", qop=auth,auth-int, Digest realm=s, nonce=m",
    )]);
    assert_eq!(
        two.map(|two| two.iter().map(|one| (one.realm, one.qop)).collect::<Vec<_>>()),
        Ok(vec![(&b"r"[..], Qop::Auth), (b"s", Qop::None)])
    );
}

#[test]
fn the_topmost_that_is_understood_is_chosen_for_each_realm() {
    let chosen = choose_all(&[
        (Challenger::End, b"Digest realm=a, nonce=1, algorithm=SHA-3"),
        (Challenger::End, b"Basic realm=a, Digest realm=a, nonce=2, algorithm=SHA-256, Digest realm=a, nonce=3"),
        (Challenger::End, b"Digest realm=b, nonce=4"),
        (Challenger::Proxy, b"Digest realm=a, nonce=5, qop=\"auth\""),
        (Challenger::Proxy, b"NTLM TlRMTVNTUAAB=="),
    ])
    .unwrap();
    let short: Vec<_> = chosen.iter().map(|one| (one.challenger, one.realm, one.algorithm.name())).collect();
    assert_eq!(
        short,
        [(Challenger::End, &b"a"[..], "SHA-256"), (Challenger::End, b"b", "MD5"), (Challenger::Proxy, b"a", "MD5")]
    );
}

#[test]
fn what_cannot_be_answered_has_a_reason() {
    let long =
        |part: &str, length: usize| format!("Digest realm=\"r{part}\", nonce=\"n\"").replace(part, &"x".repeat(length));
    let many: Vec<String> = (0..=MOST_REALMS).map(|n| format!("Digest realm=r{n}, nonce=n")).collect();
    let many: Vec<_> = many.iter().map(|value| (Challenger::End, value.as_bytes())).collect();
    assert_eq!(choose_all(&many), Err(Reason::TooManyChallenges));
    for (value, refusal) in [
        ("", Reason::NoDigest),
        (",,,", Reason::NoDigest),
        ("Basic realm=\"x\"", Reason::NoDigest),
        ("Digest", Reason::MalformedChallenge),
        ("Digest realm=\"r\"", Reason::MalformedChallenge),
        ("Digest realm=\"r\", nonce=\"\"", Reason::MalformedChallenge),
        ("realm=\"r\", nonce=\"n\"", Reason::MalformedChallenge),
        ("Digest realm=\"r, nonce=\"n\"", Reason::MalformedChallenge),
        ("Digest realm=\"r\\\", nonce=\"n\"", Reason::MalformedChallenge),
        ("Digest realm=\"r\r\nX: y\", nonce=\"n\"", Reason::MalformedChallenge),
        ("Digest realm=\"r\0\", nonce=\"n\"", Reason::MalformedChallenge),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=\"MD5", Reason::MalformedChallenge),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=MD4", Reason::NoDigest),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\"", Reason::NoDigest),
        (&long("~", 300), Reason::ChallengeTooLarge),
        (&long("~", 65_000), Reason::ChallengeTooLarge),
        (&format!("Digest realm=r, nonce=\"{}\"", "n".repeat(3000)), Reason::ChallengeTooLarge),
        (&"a,".repeat(4000), Reason::ChallengeTooLarge),
    ] {
        assert_eq!(only(value.as_bytes()), Err(refusal), "{value:.80}");
        assert!(refusal.text().len() <= Brief::CAPACITY);
    }
}

#[test]
fn credentials_of_parts() {
    let hash = "HA1:0123456789abcdef0123456789ABCDEF";
    // Given in parts, a realm may contain a colon.
    assert_eq!(Credential::new(b"a:b", b"u", hash.as_bytes()).unwrap().realm.as_deref(), Some(&b"a:b"[..]));
    assert_eq!(Credential::new(b"*", b"u", b"").unwrap().realm, None);
    for (parts, error) in [
        (["r", "", "p"], CredentialError::NoUsername),
        (["r", "a:b", "p"], CredentialError::Username),
        (["r", "a\nb", "p"], CredentialError::Username),
        (["r", "u", "HA1:0123"], CredentialError::Digits),
        (["", "u", hash], CredentialError::HashOfEveryRealm),
        (["*", "u", hash], CredentialError::HashOfEveryRealm),
    ] {
        let [realm, username, secret] = parts.map(str::as_bytes);
        assert_eq!(Credential::new(realm, username, secret), Err(error), "{parts:?}");
    }
}

#[test]
fn credentials_are_read_and_found_and_not_shown() {
    assert_eq!(
        Credential::parse(b"u:r:p:w"),
        Ok(Credential {
            realm: Some(b"r".to_vec()),
            username: b"u".to_vec(),
            secret: Secret::Password(b"p:w".to_vec().into()),
            domains: Domains::OfRecord,
        })
    );
    for (bad, error) in [
        ("", CredentialError::Parts),
        ("u", CredentialError::Parts),
        ("u:r", CredentialError::Parts),
        (":r:p", CredentialError::NoUsername),
        ("\n:r:p", CredentialError::Username),
        ("u:r:HA1:xyz", CredentialError::Digits),
        ("u:r:HA1:0123", CredentialError::Digits),
        ("u:*:HA1:0123456789abcdef0123456789abcdef", CredentialError::HashOfEveryRealm),
    ] {
        assert_eq!(Credential::parse(bad.as_bytes()), Err(error), "{bad}");
    }
    let all =
        ["any:*:x", "zed:s:x", "own:r:swordfish", "second::x", "late:r:x", "less:R:x", "more:rr:x"].map(credential);
    let mut life = Life::active(600);
    life.credentials = all.to_vec();
    let shown = format!(
        "{:?} {:?} {:?}",
        life.credentials,
        authorization("MD5", Qop::Auth, "r", "n", "u", "swordfish"),
        Input::Credentials { username: b"u", secret: Concealed(b"swordfish") }
    );
    assert!(!shown.contains("swordfish") && !shown.contains("115, 119, 111"), "{shown}");
}

#[test]
fn secrets_are_overwritten_before_their_memory_is_given_back() {
    let mut life = Life::started();
    life.account.look_for(b"swordfish");
    for secret in [&b"swordfish"[..], b"other", b"another swordfish"] {
        life.give(Input::Credentials { username: b"u", secret: Concealed(secret) });
    }
    life.due();
    life.reply(401);
    let Life { subscription, account, .. } = life;
    drop(subscription);
    assert_eq!((account.has_leaked(), account.out()), (false, 0));
    // The memory account notices bytes that are not overwritten.
    drop(crate::memory::Packed::<1, _>::try_new([b"swordfish"], account.clone()).unwrap());
    assert!(account.has_leaked());
}

proptest::proptest! {
    /// Any bytes are either understood or refused, and what is understood can be written into a header.
    #[test]
    fn hostile_challenges(value in "(Digest |realm=|nonce=|\"|,|\\\\|=| |a|auth|qop=|\r|\n|\u{e4}){0,40}") {
        if let Ok(chosen) = choose_all(&[(Challenger::End, value.as_bytes())]) {
            for one in chosen {
                proptest::prop_assert!(!one.realm.iter().any(u8::is_ascii_control));
            }
        }
    }
}
