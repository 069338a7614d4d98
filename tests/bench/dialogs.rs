//! A notifier's knowledge of up to a million dialogs, in a fixed table.

/// The dialogs of records 0, 1, 2, …; a row has the same few bytes for each.
pub struct Dialogs {
    room: usize,
    texts: Vec<u8>,
    lengths: Vec<(u8, u8)>,
    cseqs: Vec<u32>,
}

/// What names a dialog in a NOTIFY, but for the notifier's own tag, which is the record's number.
pub struct Named<'a> {
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// The subscriber's tag.
    pub tag: &'a [u8],
    /// The number for the next NOTIFY.
    pub cseq: u32,
}

impl Dialogs {
    /// A table for `count` records whose Call-ID and tag take `room` bytes together.
    pub fn new(count: usize, room: usize) -> Dialogs {
        Dialogs { room, texts: vec![0; count * room], lengths: vec![(0, 0); count], cseqs: vec![0; count] }
    }

    /// Learns a dialog from a SUBSCRIBE. False: there is no such row, or not enough room in it.
    pub fn learn(&mut self, number: usize, call_id: &[u8], tag: &[u8]) -> bool {
        let (Ok(call_id_length), Ok(tag_length)) = (u8::try_from(call_id.len()), u8::try_from(tag.len())) else {
            return false;
        };
        let fits = call_id.len() + tag.len() <= self.room;
        let Some(lengths) = self.lengths.get_mut(number).filter(|_| fits) else { return false };
        *lengths = (call_id_length, tag_length);
        let row = &mut self.texts[number * self.room..];
        row[..call_id.len()].copy_from_slice(call_id);
        row[call_id.len()..call_id.len() + tag.len()].copy_from_slice(tag);
        true
    }

    /// Names the dialog for its next NOTIFY; `None` when it is not known.
    pub fn next(&mut self, number: usize) -> Option<Named<'_>> {
        let (call_id, tag) = *self.lengths.get(number).filter(|lengths| **lengths != (0, 0))?;
        let (call_id, tag) = (usize::from(call_id), usize::from(tag));
        let cseq = self.cseqs.get_mut(number)?;
        *cseq += 1;
        let row = self.texts.get(number * self.room..)?;
        Some(Named { call_id: row.get(..call_id)?, tag: row.get(call_id..call_id + tag)?, cseq: *cseq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_learnt_and_named() {
        let mut dialogs = Dialogs::new(2, 8);
        assert!(dialogs.next(1).is_none());
        assert!(dialogs.learn(1, b"call", b"tag") && dialogs.learn(1, b"call", b"tag2"));
        assert!(!dialogs.learn(0, b"call", b"longtag") && !dialogs.learn(2, b"c", b"t"));
        for cseq in 1..3 {
            let named = dialogs.next(1).expect("it is known");
            assert_eq!((named.call_id, named.tag, named.cseq), (b"call".as_slice(), b"tag2".as_slice(), cseq));
        }
        assert!(dialogs.next(0).is_none());
    }
}
