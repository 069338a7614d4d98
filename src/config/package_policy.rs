//! Policies of single packages: `package: key=value; key=value; …`.

use super::parameters::Integer;
use super::{ConfigError, Integers, policy};
use crate::grammar::is_token;
use crate::subscription::{Action, After, Forking, Override, PackageNumber, Packages, Policy};

/// The integer parameters that a package may have a value of its own for.
const KEYS: [&str; 9] = [
    "default_expiration",
    "on_error_retry_time",
    "failure_backoff_max",
    "wait_for_term_notify",
    "resubscribe_delta",
    "min_resubscribe_time",
    "refresh_jitter",
    "max_subscribe_delay",
    "timer_n_on_refresh",
];

/// Whether the first NOTIFY of a dialog is awaited until Timer N: 0 or 1.
const TIMER_N: &str = "timer_n";

/// Whether a 2xx's route set stays where the NOTIFY brings none: 0 or 1.
const KEEP_ROUTE_SET: &str = "keep_route_set";

/// The reasons of RFC 6665 §4.1.3.
const REASONS: [&str; 7] = ["deactivated", "probation", "rejected", "timeout", "giveup", "noresource", "invariant"];

/// Goes before a reason that is none of those.
const OTHER_REASON: &str = "reason:";

/// The parameter for forks, with its words.
const FORKING: &str = "forking";

/// The actions after a failure.
const ACTIONS: [(&str, Action); 3] =
    [("at_once", Action::AtOnce), ("back_off", Action::BackOff), ("never", Action::Never)];

/// A NOTIFY that ends a subscription without a reason.
const NO_REASON: &str = "none";

/// What is said of each package that has a policy of its own. A later setting replaces an earlier one.
///
/// # Errors
/// [`ConfigError::Setting`], for the first text that is wrong.
pub(super) fn read(texts: &[String], known: &Packages, forking: Forking) -> Result<Vec<OfPackage>, ConfigError> {
    let mut packages: Vec<OfPackage> = Vec::new();
    for text in texts {
        let wrong = |(part, wanted): Wrong<'_>| ConfigError::Setting {
            name: "package_policy",
            value: text.clone(),
            part: part.to_owned(),
            wanted,
        };
        let (name, settings) = text.split_once(':').ok_or_else(|| wrong((text, form())))?;
        let name = name.trim();
        let unknown = || wrong((name, format!("the package must be one of {}", known.names())));
        let package = known.find(name.as_bytes()).ok_or_else(unknown)?.number;
        let place = packages.iter().position(|one| one.package == package).unwrap_or(packages.len());
        if place == packages.len() {
            let [timer_n, keep_route_set] = [true, false];
            let (integers, overrides) = (Vec::new(), Vec::new());
            packages.push(OfPackage { package, integers, forking, timer_n, keep_route_set, overrides });
        }
        let Some(of_package) = packages.get_mut(place) else { continue };
        for setting in settings.split(';').map(str::trim).filter(|setting| !setting.is_empty()) {
            of_package.set(setting).map_err(wrong)?;
        }
    }
    Ok(packages)
}

/// The wrong part, and what is wanted instead.
pub(super) type Wrong<'a> = (&'a str, String);

/// What is said of one package.
#[derive(Clone, Debug)]
pub(super) struct OfPackage {
    package: PackageNumber,
    /// The parameters that it has its own values of.
    integers: Vec<(String, i32)>,
    forking: Forking,
    timer_n: bool,
    keep_route_set: bool,
    overrides: Vec<Override>,
}

impl OfPackage {
    /// The package's policy where all others have these values.
    pub(super) fn policy(&self, common: &Integers) -> (PackageNumber, Policy) {
        let mut integers = common.clone();
        for (name, value) in &self.integers {
            if let Some(place) = integers.get_mut(name) {
                *place = *value;
            }
        }
        let Self { package, forking, timer_n, keep_route_set, .. } = *self;
        let overrides = self.overrides.clone();
        (package, Policy { overrides, forking, timer_n_on_first: timer_n, keep_route_set, ..policy::of(&integers) })
    }

    /// Takes one `key=value`.
    fn set<'a>(&mut self, setting: &'a str) -> Result<(), Wrong<'a>> {
        let (key, value) = setting.split_once('=').ok_or_else(|| (setting, form()))?;
        let (key, value) = (key.trim(), value.trim());
        if let Some(facts) = facts(key) {
            if !KEYS.contains(&key) {
                return Err((setting, form()));
            }
            let number = value.parse().ok().filter(|value| facts.allows(*value));
            self.integers.push((key.to_owned(), number.ok_or_else(|| (setting, range(key, &facts)))?));
            return Ok(());
        }
        if key == FORKING {
            self.forking = Forking::parse(value).ok_or_else(|| (setting, form()))?;
            return Ok(());
        }
        if let Some(place) = match key {
            TIMER_N => Some(&mut self.timer_n),
            KEEP_ROUTE_SET => Some(&mut self.keep_route_set),
            _ => None,
        } {
            *place = match value {
                "0" => false,
                "1" => true,
                _ => return Err((setting, format!("{key} must be 0 or 1"))),
            };
            return Ok(());
        }
        let after = after(key).map_err(|wanted| (setting, wanted))?;
        let action = ACTIONS.iter().find(|(name, _)| *name == value).map(|(_, action)| *action);
        let action = action.ok_or_else(|| (setting, format!("\"{value}\" must be one of {}", actions())))?;
        self.overrides.push(Override { after, action });
        Ok(())
    }
}

/// The range of the integer parameter with this name.
fn facts(name: &str) -> Option<Integer> {
    let place = Integers::NAMES.iter().position(|known| known.to_bytes() == name.as_bytes())?;
    Integers::FACTS.get(place).copied()
}

/// A code, a range of codes, or a reason; or what is wanted instead.
fn after(key: &str) -> Result<After, String> {
    if key.starts_with(|first: char| first.is_ascii_digit()) {
        let (first, last) = key.split_once('-').unwrap_or((key, key));
        return match (code(first), code(last)) {
            (Some(first), Some(last)) if first <= last => Ok(After::Codes(first, last)),
            _ => Err("a code must be from 300 to 699, and a range must go up, such as 480-489".to_owned()),
        };
    }
    if key.eq_ignore_ascii_case(NO_REASON) {
        return Ok(After::Reason(None));
    }
    let other = key.strip_prefix(OTHER_REASON).map(str::trim).filter(|reason| is_token(reason.as_bytes()));
    let usual = REASONS.iter().any(|reason| key.eq_ignore_ascii_case(reason)).then_some(key);
    other.or(usual).map(|reason| After::Reason(Some(reason.to_owned()))).ok_or_else(form)
}

/// A final status code that is no acceptance.
fn code(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|code| (300..=699).contains(code))
}

fn range(name: &str, facts: &Integer) -> String {
    let Integer { least, most, unit, .. } = facts;
    format!("{name} must be {least} to {most}{unit}")
}

fn actions() -> String {
    ACTIONS.map(|(name, _)| name).join(", ")
}

fn form() -> String {
    format!(
        "it must be \"package: key=value; key=value\", where a key is one of {} with a number, {TIMER_N} or {KEEP_ROUTE_SET} \
         with 0 or 1, {FORKING} with one of package, first, all, or a reason of a termination ({}, {NO_REASON} for none, \
         {OTHER_REASON}word for any other word), a code or a range of codes from 300 to 699 with one of {}",
        KEYS.join(", "),
        REASONS.join(", "),
        actions(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subscription::package;

    fn read_all(texts: &[&str]) -> Result<Vec<(PackageNumber, Policy)>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let defaults = Integers::of(Integers::FACTS.map(|facts| facts.default));
        let packages = read(&texts, Packages::KNOWN, Forking::First).map_err(|error| error.to_string())?;
        Ok(packages.iter().map(|one| one.policy(&defaults)).collect())
    }

    fn one(after: After, action: Action) -> Override {
        Override { after, action }
    }

    fn reason(name: &str) -> After {
        After::Reason(Some(name.to_owned()))
    }

    #[test]
    fn every_key_is_a_parameter() {
        for key in KEYS {
            assert!(facts(key).is_some(), "{key}");
        }
    }

    #[test]
    fn a_policy_is_that_of_all_but_for_what_it_says() {
        let all = read_all(&[
            "reg: default_expiration=7200; rejected=back_off ;404 = never; 480-489=at_once; none=never;refresh_jitter=20;",
            " presence.winfo :",
            "reg:reason:Out-To-Lunch=at_once;default_expiration=60;forking=all;timer_n=0; keep_route_set=1",
        ])
        .expect("policies");
        let [(reg, policy), (winfo, untouched)] = &all[..] else { panic!("{all:?}") };
        assert_eq!((*reg, *winfo), (package::REG.number, package::PRESENCE_WINFO.number));
        assert_eq!((policy.default_expiration, policy.refresh_jitter), (Duration::from_secs(60), 20));
        assert_eq!(policy.resubscribe_delta, untouched.resubscribe_delta);
        assert_eq!(untouched.default_expiration, Duration::from_secs(3600));
        assert!(untouched.overrides.is_empty());
        assert_eq!((policy.timer_n_on_first, untouched.timer_n_on_first), (false, true));
        assert_eq!((policy.keep_route_set, untouched.keep_route_set), (true, false));
        assert_eq!((policy.forking, untouched.forking), (Forking::All, Forking::First));
        let wanted = [
            one(reason("rejected"), Action::BackOff),
            one(After::Codes(404, 404), Action::Never),
            one(After::Codes(480, 489), Action::AtOnce),
            one(After::Reason(None), Action::Never),
            one(reason("Out-To-Lunch"), Action::AtOnce),
        ];
        assert_eq!(policy.overrides, wanted);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (text, part, wanted) in [
            ("reg", "\"reg\" is wrong", "key=value"),
            ("mwi: 404=never", "\"mwi\" is wrong", "presence, presence.winfo, dialog, reg, message-summary"),
            ("reg: default_expiration=0", "\"default_expiration=0\" is wrong", "1 to 315360000 seconds"),
            ("reg: refresh_jitter=51", "\"refresh_jitter=51\" is wrong", "0 to 50 percent"),
            ("reg: refresh_jitter=never", "\"refresh_jitter=never\" is wrong", "0 to 50 percent"),
            ("reg: min_resubscribe_time=99999999999", "min_resubscribe_time", "0 to 315360000 seconds"),
            ("reg: forking=no", "\"forking=no\" is wrong", "package, first, all"),
            ("reg: workers=3", "\"workers=3\" is wrong", "default_expiration, on_error_retry_time"),
            ("reg: rejected=later", "\"rejected=later\" is wrong", "at_once, back_off, never"),
            ("reg: 404", "\"404\" is wrong", "key=value"),
            ("reg: 200=never", "\"200=never\" is wrong", "300 to 699"),
            ("reg: 299-404=never", "\"299-404=never\" is wrong", "300 to 699"),
            ("reg: 404-700=never", "\"404-700=never\" is wrong", "300 to 699"),
            ("reg: 489-480=never", "\"489-480=never\" is wrong", "300 to 699"),
            ("reg: 4x4=never", "\"4x4=never\" is wrong", "300 to 699"),
            ("reg: re jected=never", "\"re jected=never\" is wrong", "a reason"),
            ("presence: rejectd=never", "\"rejectd=never\" is wrong", "deactivated, probation, rejected, timeout"),
            ("reg: 404=maybe", "\"404=maybe\" is wrong", "\"maybe\" must be one of at_once, back_off, never"),
            ("reg: reason:=never", "\"reason:=never\" is wrong", "a reason"),
            ("reg: timer_n=2", "\"timer_n=2\" is wrong: timer_n must be 0 or 1", "timer_n"),
            ("reg: keep_route_set=yes", "\"keep_route_set=yes\" is wrong: keep_route_set must be 0 or 1", "0 or 1"),
            ("reg: =never", "\"=never\" is wrong", "a reason"),
        ] {
            let error = read_all(&["dialog: 404=never", text]).expect_err(text);
            for part in ["modparam package_policy", &format!("\"{text}\""), part, wanted] {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        }
    }
}
