//! Tells a repeated NOTIFY from another one with the same CSeq.

/// Hashes of what a NOTIFY says (its Subscription-State and its body) and of the branch of its Via. A dialog keeps those of the
/// newest NOTIFY it has accepted. A later one with the same CSeq is the same again if either is the same; otherwise its
/// notifier has used a CSeq twice (RFC 3261 §12.2.1.1). Two different ones are taken for the same once in 2 to the power of 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Echo {
    text: u16,
    /// 0 for none.
    branch: u16,
}

impl Echo {
    /// From the Subscription-State, the body and how long its type is, and the branch. What is said with the same body in
    /// another type of the same length is not told apart.
    ///
    /// The hashes have no key: a notifier that forges two NOTIFYs with one hash and one CSeq loses its own second one.
    #[must_use]
    pub fn of(state: Option<&[u8]>, type_len: Option<usize>, body: &[u8], branch: Option<&[u8]>) -> Self {
        let body = hash_of_many(body);
        let length = type_len.map_or(0, |len| len as u64 + 1);
        let said = mixed(state.map_or(0, hash_of_few).rotate_left(1) ^ length);
        Self::of_hashes(said ^ body, branch.map(hash_of_few))
    }

    /// From the hashes of what is said and of the branch; `None` where there is no branch.
    #[must_use]
    // Cut on purpose: a part of the hash.
    pub(super) fn of_hashes(text: u64, branch: Option<u64>) -> Self {
        Self { text: text as u16, branch: branch.map_or(0, |branch| (branch as u16).max(1)) }
    }

    /// Whether one that has the same CSeq is the same NOTIFY.
    #[must_use]
    pub fn is_again(self, newest: Self) -> bool {
        self.text == newest.text || self.branch != 0 && self.branch == newest.branch
    }
}

/// A hash of a text of a few words, for which a good one is dear.
fn hash_of_few(text: &[u8]) -> u64 {
    let with = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x243f_6a88_85a3_08d3);
    let words = text.as_chunks().0.iter();
    let hash = words.fold(text.len() as u64, |hash, word| with(hash, u64::from_le_bytes(*word)));
    match text.last_chunk() {
        // The last ones, most of them once more, which is quicker than to part them.
        Some(last) => mixed(with(hash, u64::from_le_bytes(*last))),
        None => mixed(text.iter().fold(hash, |hash, byte| with(hash, (*byte).into()))),
    }
}

/// A hash of a text of any length, with three instructions for sixteen bytes: the product of their halves, no bit of which is
/// thrown away, is what the next ones are mixed with.
#[allow(clippy::cast_possible_truncation, reason = "the two halves of the product")]
fn hash_of_many(text: &[u8]) -> u64 {
    const START: u128 = 0x0828_efa9_8ec4_e6c8_9452_21e6_38d0_1377;
    let with = |hash: u128, words: &[u8; 16]| {
        let mixed = hash ^ u128::from_le_bytes(*words);
        u128::from(mixed as u64) * u128::from((mixed >> 64) as u64)
    };
    let (blocks, rest) = text.as_chunks::<128>();
    let of_blocks = blocks.iter().fold(START ^ text.len() as u128, |hash, block| {
        // The length is known, and so there is no loop.
        block.as_chunks().0.iter().fold(hash, with)
    });
    let hash = rest.as_chunks().0.iter().fold(of_blocks, with);
    let last = match text.last_chunk() {
        // The last ones, most of them once more, which is quicker than to part them.
        Some(last) => *last,
        None => std::array::from_fn(|at| text.get(at).copied().unwrap_or(0)),
    };
    let hash = with(hash, &last);
    mixed(hash as u64 ^ (hash >> 64) as u64)
}

/// A number in which every bit depends on all bits of another one.
// Cut on purpose: the two halves of the product.
fn mixed(number: u64) -> u64 {
    let product = u128::from(number ^ 0x1319_8a2e_0370_7344) * 0xa409_3822_299f_31d1;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_counts_and_where_it_stands() {
        for (hash, lengths) in [
            (hash_of_few as fn(&[u8]) -> u64, &[0, 1, 7, 8, 9, 16, 19, 40][..]),
            (hash_of_many, &[0, 1, 15, 16, 17, 31, 128, 145, 300]),
        ] {
            for &len in lengths {
                let text: Vec<u8> = (0..len).map(|at: u64| hash_of_few(&at.to_le_bytes()) as u8).collect();
                let differs = |changed: &[u8]| changed == text || hash(changed) != hash(&text);
                for at in 0..text.len() {
                    let mut changed = text.clone();
                    changed[at] ^= 0x80;
                    assert!(differs(&changed), "{len} bytes, another one at {at}");
                    for other in at + 1..text.len() {
                        let mut changed = text.clone();
                        changed.swap(at, other);
                        assert!(differs(&changed), "{len} bytes, {at} and {other} have changed places");
                    }
                }
                assert!(
                    (1..20).all(|more| differs(&[&text[..], &vec![0; more]].concat())),
                    "{len} bytes and some that are 0"
                );
            }
        }
    }

    /// 16 bits of the hash are kept: no more changes may be missed than with 16 random bits.
    #[test]
    fn changes_of_two_bytes_are_seen_as_often_as_can_be() {
        let text: Vec<u8> = b"<presence><note>here</note></presence>\r\n".iter().copied().cycle().take(300).collect();
        let kept = |text: &[u8]| hash_of_many(text) as u16;
        let (mut seen, mut missed) = (0_u32, 0_u32);
        for at in 0..text.len() {
            for other in at + 1..text.len() {
                for (change, other_change) in [(1, 1), (0x20, 1), (0x20, 0x20), (0x80, 0x80)] {
                    let mut changed = text.clone();
                    changed[at] ^= change;
                    changed[other] ^= other_change;
                    seen += 1;
                    missed += u32::from(kept(&changed) == kept(&text));
                }
            }
        }
        assert!(missed <= 2 * (seen >> 16), "{missed} of {seen}");
    }

    #[test]
    fn what_is_said_counts() {
        let one = Echo::of(Some(b"active;expires=60"), Some(20), b"<open/>", Some(b"z9hG4bK1"));
        let other = |state, len, body, branch| Echo::of(state, len, body, branch).is_again(one);
        assert!(other(Some(b"active;expires=60"), Some(20), b"<open/>", None));
        assert!(other(None, None, b"", Some(b"z9hG4bK1")));
        assert!(!other(Some(b"active;expires=61"), Some(20), b"<open/>", None));
        assert!(!other(None, Some(20), b"<open/>", None));
        assert!(!other(Some(b"active;expires=60"), Some(21), b"<open/>", None));
        assert!(!other(Some(b"active;expires=60"), None, b"<open/>", None));
        assert!(!other(Some(b"active;expires=60"), Some(20), b"<shut/>", Some(b"z9hG4bK2")));
    }
}
