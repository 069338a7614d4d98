//! Texts that others wrote, as they may be shown; and texts cut to a width.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// The most characters of a foreign text that are kept.
const MOST: usize = 2048;

/// A foreign text without anything that a terminal would obey: what is not a visible character is written as an escape.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(MOST));
    for letter in text.chars().take(MOST) {
        match letter {
            ' ' => clean.push(letter),
            '\\' => clean.push_str("\\\\"),
            _ if is_visible(letter) => clean.push(letter),
            '\0'..='\u{ff}' => {
                let _ = write!(clean, "\\x{:02x}", u32::from(letter));
            }
            _ => {
                let _ = write!(clean, "\\u{{{:x}}}", u32::from(letter));
            }
        }
    }
    clean
}

/// Letters, digits, ASCII's signs and what is as wide as one or two of them. Other spaces, marks that change their neighbour
/// or the direction, and signs of the private area are not.
fn is_visible(letter: char) -> bool {
    let is_sign = matches!(letter, '\u{a1}'..='\u{2ff}' | '\u{20a0}'..='\u{20cf}' | '…' | '–' | '—' | '‘'..='”');
    letter.is_ascii_graphic() || ((letter.is_alphanumeric() || is_sign) && width_of(letter) > 0 && letter != '\u{ad}')
}

fn width_of(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// The text in `columns` columns: cut with an ellipsis, or filled with spaces.
pub fn fit(text: &str, columns: usize) -> String {
    let mut fitted = cut(text, columns);
    fitted.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&fitted))));
    fitted
}

/// The text in at most `columns` columns.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut kept, mut taken) = (String::new(), 1);
    for letter in text.chars() {
        taken += width_of(letter);
        if taken > columns {
            break;
        }
        kept.push(letter);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The text in lines of at most `columns` columns, broken between words if that is possible.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let Some(line) = lines.last_mut() else { return lines };
            let gap = usize::from(!line.is_empty());
            if width(line) + gap + width(rest) <= columns {
                line.extend((gap == 1).then_some(' '));
                line.push_str(rest);
                break;
            }
            if gap == 1 {
                lines.push(String::new());
                continue;
            }
            let mut taken = 0;
            let end = rest.char_indices().find(|(_, letter)| {
                taken += width_of(*letter);
                taken > columns
            });
            // A letter that is wider than the line goes onto one of its own.
            let first = rest.chars().next().map_or(rest.len(), char::len_utf8);
            let (head, tail) = rest.split_at(end.map_or(rest.len(), |(at, _)| at.max(first)));
            line.push_str(head);
            rest = tail;
            if !rest.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines
}

/// A time in the two largest units that it has: `41s`, `3m07s`, `2h05m`, `3d04h`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// The time of day (UTC) of seconds since 1970.
pub fn time_of_day(seconds: u64) -> String {
    let of_day = seconds % 86400;
    format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// JSON in ASCII only, so that no terminal obeys what is in it.
pub fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter == '\n' || (' '..='~').contains(&letter) {
            ascii.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(clean("sip:a\x1b[2J@b\r\n"), "sip:a\\x1b[2J@b\\x0d\\x0a");
        assert_eq!(clean("\u{202e}moc\u{200b}\u{9b}31m"), "\\u{202e}moc\\u{200b}\\x9b31m");
        assert_eq!(clean("Später, 後で"), "Später, 後で");
        assert_eq!(clean("a\\x1b"), "a\\\\x1b", "it is seen that this was no escape");
        assert_eq!(clean("e\u{301}"), "e\\u{301}");
    }

    #[test]
    fn texts_fit() {
        assert_eq!((fit("abc", 5).as_str(), fit("abcdef", 4).as_str(), cut("abc", 0).as_str()), ("abc  ", "abc…", ""));
        assert_eq!((cut("後で後で", 4).as_str(), fit("後で後で", 4).as_str()), ("後…", "後… "));
        assert_eq!(wrap("too small a terminal", 9), ["too small", "a", "terminal"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!([0, 59, 187, 7500, 273_600].map(span), ["0s", "59s", "3m07s", "2h05m", "3d04h"]);
        assert_eq!(time_of_day(86400 + 3661), "01:01:01");
        assert_eq!(ascii_json("{\"a\": \"\u{9b}後😀\"}"), "{\"a\": \"\\u009b\\u5f8c\\ud83d\\ude00\"}");
    }

    proptest! {
        #[test]
        fn every_text_fits(text: String, columns in 0_usize..90) {
            let clean = clean(&text);
            prop_assert!(clean.chars().all(|letter| !letter.is_control()));
            prop_assert_eq!(width(&fit(&clean, columns)), columns);
            prop_assert!(wrap(&clean, columns).iter().all(|line| width(line) <= columns.max(2)));
        }
    }
}
