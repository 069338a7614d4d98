//! All parameters together.

use std::time::Duration;

use super::{Config, ConfigError, Integers, Lists, Live, Raw, Syntax, Texts};
use crate::subscription::Forking;

struct Any;

impl Syntax for Any {
    fn is_sip_uri(&self, text: &str) -> bool {
        text.starts_with("sip:")
    }

    fn is_route(&self, text: &str) -> bool {
        text.starts_with('<')
    }
}

fn with(change: impl FnOnce(&mut Raw)) -> Raw {
    let mut raw = Raw::default();
    change(&mut raw);
    raw
}

fn set(raw: &mut Raw, name: &str, value: i32) {
    let place = Integers::NAMES.iter().position(|known| known.to_bytes() == name.as_bytes());
    raw.integers[place.expect("a parameter")] = value;
}

#[test]
fn defaults_are_accepted() {
    let config = Config::check(Raw::default(), &Any).expect("defaults");
    assert_eq!(config.policy.default_expiration, Duration::from_secs(3600));
    assert!(Live::new(config.integers).handle_presence_subscriptions());
    assert_eq!(config.shards, 64);
}

#[test]
fn each_range_is_checked_at_both_ends_and_the_message_says_all() {
    for (index, (parameter, name)) in Integers::FACTS.iter().zip(Integers::NAMES).enumerate() {
        for outside in [parameter.least.checked_sub(1), parameter.most.checked_add(1)].into_iter().flatten() {
            let mut raw = Raw::default();
            raw.integers[index] = outside;
            let error = Config::check(raw, &Any).expect_err("out of range").to_string();
            let name = name.to_str().expect("a name");
            for part in [name, &outside.to_string(), &parameter.least.to_string(), &parameter.most.to_string()] {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        }
    }
}

/// A value that is kept in fewer bits than given has room for its whole range.
#[test]
fn what_is_in_its_range_is_kept_as_it_is() {
    type Kept = fn(&Config) -> i64;
    let parameters: [(&str, Kept); 3] = [
        ("workers", |config| config.workers.into()),
        ("resolvers", |config| config.resolvers.into()),
        ("refresh_jitter", |config| config.policy.refresh_jitter.into()),
    ];
    for (name, kept) in parameters {
        let place = Integers::NAMES.iter().position(|known| known.to_bytes() == name.as_bytes());
        let facts = &Integers::FACTS[place.expect("a parameter")];
        for value in [facts.least, facts.most] {
            let config = Config::check(with(|raw| set(raw, name, value)), &Any).expect("in its range");
            assert_eq!(kept(&config), i64::from(value), "{name}");
        }
    }
}

#[test]
fn shards_are_a_power_of_two() {
    let mut raw = Raw::default();
    set(&mut raw, "shards", 48);
    assert_eq!(Config::check(raw, &Any).expect_err("48"), ConfigError::Shards(48));
}

#[test]
fn a_cap_below_the_first_retry_is_raised_to_it() {
    let mut raw = Raw::default();
    set(&mut raw, "on_error_retry_time", 7200);
    let config = Config::check(raw, &Any).expect("an old configuration");
    assert_eq!(config.policy.failure_backoff_max, Duration::from_secs(7200));
}

#[test]
fn forking_is_one_of_three_words() {
    for (word, meant) in
        [("", Forking::Package), ("package", Forking::Package), ("first", Forking::First), ("all", Forking::All)]
    {
        let config = Config::check(with(|raw| raw.texts.forking = word.into()), &Any).expect(word);
        assert_eq!(config.policy.forking, meant);
    }
    let error = Config::check(with(|raw| raw.texts.forking = "All".into()), &Any).expect_err("All").to_string();
    assert_eq!(error, "modparam forking is \"All\", but must be package, first or all");
}

#[test]
fn each_policy_knows_how_many_proxies_there_are() {
    for (proxies, count) in [("", 0), ("sip:a", 1), (" sip:a\tsip:b  sip:c", 3)] {
        let raw = with(|raw| {
            raw.texts.presence_outbound_proxy = proxies.into();
            raw.lists.package_policy = vec![b"reg: default_expiration=60".to_vec()];
        });
        let policy = Config::check(raw, &Any).expect(proxies).policy;
        let all: Vec<u8> = policy.packages.iter().map(|(_, own)| own.proxies).chain([policy.proxies]).collect();
        assert_eq!(all, [count; 2]);
    }
}

#[test]
fn a_database_without_a_table_is_a_mistake() {
    let raw = with(|raw| raw.texts.db_url = "mysql://a:secret@x/y".into());
    let error = Config::check(raw, &Any).expect_err("no table").to_string();
    assert!(error.contains("credentials_table") && !error.contains("secret"), "{error}");
}

/// One that is declared and never read would be accepted and do nothing.
#[test]
fn each_parameter_is_read() {
    let source = [include_str!("../config.rs"), include_str!("policy.rs"), include_str!("live.rs")].concat();
    let is_read = |values: &str, name: &str| {
        let value = format!("{values}.{name}");
        source.match_indices(&value).any(|(at, _)| {
            let after = source[at + value.len()..].chars().next();
            !after.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        })
    };
    for (names, values) in [
        (&Integers::NAMES[..], &["integers", "values"][..]),
        (&Texts::NAMES[..], &["texts"]),
        (&Lists::NAMES[..], &["lists"]),
    ] {
        for name in names.iter().map(|name| name.to_str().expect("a name")) {
            assert!(values.iter().any(|values| is_read(values, name)), "{name}");
        }
    }
}
