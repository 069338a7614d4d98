//! One pass over a whole text before it is scanned, many bytes at a time.
//!
//! Nearly no document has a character that XML does not allow, or "]]>". When it is known that
//! this one has none, the scanner only has to look for markup, and can leap from one to the next.

use memchr::memmem;

/// Whole groups of so many bytes are what the compiler turns into vector instructions.
const GROUP: usize = 32;

/// Whether `text`, which is UTF-8, has what must not stand in character data: a character that XML
/// does not allow (XML 1.0 §2.2), or "]]>" (§2.4). A "no" is certain; a text shorter than a group
/// is suspected without a look.
pub(super) fn is_suspicious(text: &[u8]) -> bool {
    let (Some(last), (groups, _)) = (text.last_chunk::<GROUP>(), text.as_chunks::<GROUP>()) else {
        return true;
    };
    // The last bytes overlap the last whole group, which does no harm to a minimum.
    let least = Least::of(groups.as_flattened()).and(&Least::of(last));
    least.has_control()
        || least.has_0xef() && memmem::find(text, b"\xEF\xBF\xBE").is_some()
        || least.has_0xef() && memmem::find(text, b"\xEF\xBF\xBF").is_some()
        || least.has_bracket() && memmem::find(text, b"]]>").is_some()
}

/// The least of some bytes, and their least distances from certain values, counted upwards and
/// around. A distance below n means that one of the n values from there on was met. (A vector
/// instruction takes sixteen minima in one step; it needs several to compare.)
struct Least {
    from_0: u8,
    from_vt: u8,
    from_so: u8,
    from_bracket: u8,
    from_0xef: u8,
}

const VT: u8 = 0x0B;
const SO: u8 = 0x0E;

impl Least {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let most = u8::MAX;
        let start = Self { from_0: most, from_vt: most, from_so: most, from_bracket: most, from_0xef: most };
        bytes.iter().fold(start, |least, byte| {
            least.and(&Self {
                from_0: *byte,
                from_vt: byte.wrapping_sub(VT),
                from_so: byte.wrapping_sub(SO),
                from_bracket: byte.wrapping_sub(b']'),
                from_0xef: byte.wrapping_sub(0xEF),
            })
        })
    }

    #[inline]
    fn and(&self, other: &Self) -> Self {
        Self {
            from_0: self.from_0.min(other.from_0),
            from_vt: self.from_vt.min(other.from_vt),
            from_so: self.from_so.min(other.from_so),
            from_bracket: self.from_bracket.min(other.from_bracket),
            from_0xef: self.from_0xef.min(other.from_0xef),
        }
    }

    /// Below TAB; VT and FF; from SO up to the blank.
    fn has_control(&self) -> bool {
        self.from_0 < b'\t' || self.from_vt < 2 || self.from_so < b' ' - SO
    }

    fn has_bracket(&self) -> bool {
        self.from_bracket == 0
    }

    /// The first byte of U+F000 to U+FFFF.
    fn has_0xef(&self) -> bool {
        self.from_0xef == 0
    }
}
