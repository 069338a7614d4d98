//! Numbers as headers have them: digits and nothing else.

use std::str::{self, FromStr};

/// The number that these digits are, zeros before it or not; `None` when there is anything else, or when it is too large.
#[must_use]
pub fn number<N: FromStr>(digits: &[u8]) -> Option<N> {
    str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?.parse().ok()
}

/// delta-seconds (RFC 3261 §25.1); a number beyond 32 bits is the largest. `None` when there is anything but digits.
#[must_use]
pub fn delta_seconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))))
}

/// What the digits behind a decimal point say in thousandths, as a qvalue needs it (RFC 3261 §25.1); further ones do not
/// count. `None` when there is anything but digits.
#[must_use]
pub fn thousandths(decimals: &[u8]) -> Option<u16> {
    let digits = decimals.iter().copied().chain([b'0'; 3]).take(3);
    let are_digits = decimals.iter().all(u8::is_ascii_digit);
    are_digits.then(|| digits.fold(0, |sum, digit| sum * 10 + u16::from(digit.saturating_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!(number::<u32>(b"4294967295"), Some(u32::MAX));
        assert_eq!(number::<u16>(b"00000000000007"), Some(7));
        for other in ["", "+1", "-1", "4294967296", " 1", "1 ", "0x1", "\u{0661}"] {
            assert_eq!(number::<u32>(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(delta_seconds(b"99999999999999999999"), Some(u32::MAX));
        assert_eq!((delta_seconds(b""), delta_seconds(b"+1"), delta_seconds(b"007")), (None, None, Some(7)));
    }

    #[test]
    fn decimals_are_read_as_thousandths() {
        for (decimals, right) in [("", 0), ("5", 500), ("05", 50), ("123", 123), ("9999", 999)] {
            assert_eq!(thousandths(decimals.as_bytes()), Some(right), "{decimals:?}");
        }
        assert_eq!((thousandths(b"1x"), thousandths(b"0000x"), thousandths(b"-1")), (None, None, None));
    }
}
