//! The messages that wait in a queue: in order, by subscription, and by the bytes of a subscription.
//!
//! Everything is a list through nodes that never move, so that each operation takes constant time whatever waits. The messages
//! of one subscription (and fork) have an *account*; accounts are kept in classes by their bytes, four to a doubling, so that
//! one of the fattest is found without a search.

mod list;

use allocator_api2::boxed::Box;

use super::message::Message;
use crate::memory::{Chunks, OutOfMemory, SharedAlloc};
use list::{Ends, ListNode, NONE, Neighbours};

/// Room made at a time; the first is kept as long as the queue lives.
pub(super) const CHUNK: usize = 64;

/// How many classes of accounts there are.
const CLASSES: usize = u128::BITS as usize;

struct WaitingMessage<A: SharedAlloc> {
    message: Option<Message<A>>,
    /// Bytes of its texts: the message is not looked at to know them.
    texts: usize,
    /// Its neighbours among all messages. In a free node: the next free one.
    links: Neighbours,
    /// The next message of the same account.
    newer: u32,
    account: u32,
    /// Which end of a subscription was the newest when it was queued.
    epoch: u32,
    /// When it was queued, or the message that it has replaced.
    since: u32,
}

#[derive(Clone, Copy)]
struct Account {
    bytes: usize,
    oldest: u32,
    newest: u32,
    /// The neighbours in its class. In a free account: the next free one.
    links: Neighbours,
}

impl<A: SharedAlloc> ListNode for WaitingMessage<A> {
    fn links(&mut self) -> &mut Neighbours {
        &mut self.links
    }
}

impl ListNode for Account {
    fn links(&mut self) -> &mut Neighbours {
        &mut self.links
    }
}

/// Whose messages: an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose(u32);

/// The nodes and accounts of a queue that has run dry, to be freed without its lock.
pub(super) struct Spare<A: SharedAlloc> {
    _nodes: Option<Chunks<WaitingMessage<A>, CHUNK, A>>,
    _accounts: Option<Chunks<Account, CHUNK, A>>,
}

/// The messages of a queue.
pub(super) struct Waiting<A: SharedAlloc> {
    nodes: Chunks<WaitingMessage<A>, CHUNK, A>,
    accounts: Chunks<Account, CHUNK, A>,
    classes: Box<[Ends; CLASSES], A>,
    /// Which of them have an account.
    filled: u128,
    order: Ends,
    free_node: u32,
    free_account: u32,
    len: usize,
    bytes: usize,
}

impl<A: SharedAlloc> Waiting<A> {
    /// Bytes of a message beside its texts.
    pub(super) const ENVELOPE: usize = size_of::<WaitingMessage<A>>() + size_of::<Account>();

    pub(super) fn try_new(alloc: A) -> Result<Self, OutOfMemory> {
        let classes = Box::try_new_in([Ends::EMPTY; CLASSES], alloc.clone()).map_err(|_| OutOfMemory)?;
        let (nodes, accounts) = (Chunks::new_in(alloc.clone()), Chunks::new_in(alloc));
        let (free_node, free_account) = (NONE, NONE);
        let mut waiting =
            Self { nodes, accounts, classes, filled: 0, order: Ends::EMPTY, free_node, free_account, len: 0, bytes: 0 };
        waiting.try_reserve()?;
        Ok(waiting)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all messages. Texts that follow each other and are the same memory count once.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of a message.
    pub(super) fn cost(message: &Message<A>) -> usize {
        Self::ENVELOPE.saturating_add(message.text_len())
    }

    /// Makes room for one more message.
    pub(super) fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        if self.free_node == NONE {
            self.free_node = grow(&mut self.nodes, |after| WaitingMessage {
                message: None,
                texts: 0,
                links: Neighbours::free(after),
                newer: NONE,
                account: NONE,
                epoch: 0,
                since: 0,
            })?;
        }
        if self.free_account == NONE {
            self.free_account = grow(&mut self.accounts, |after| Account {
                bytes: 0,
                oldest: NONE,
                newest: NONE,
                links: Neighbours::free(after),
            })?;
        }
        Ok(())
    }

    /// When the oldest was queued; `None` if none waits.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.nodes.get(self.order.first as usize).filter(|node| node.message.is_some()).map(|node| node.since)
    }

    /// The account of a message's subscription and fork, if one of theirs is where their newest was.
    pub(super) fn account_of(&self, last: u32, message: &Message<A>) -> Option<Whose> {
        self.whose(last, |queued| (queued.subscription(), queued.fork()) == (message.subscription(), message.fork()))
    }

    /// The account of the message at a place, if it is there and `is_it`.
    pub(super) fn whose(&self, at: u32, is_it: impl FnOnce(&Message<A>) -> bool) -> Option<Whose> {
        let node = self.nodes.get(at as usize)?;
        node.message.as_ref().filter(|queued| is_it(queued)).map(|_| Whose(node.account))
    }

    /// Bytes of the messages of an account.
    pub(super) fn bytes_of(&self, whose: Whose) -> usize {
        self.accounts.get(whose.0 as usize).map_or(0, |account| account.bytes)
    }

    /// Bytes of its newest message, if it has another one as well.
    pub(super) fn newest_cost(&self, whose: Whose) -> usize {
        let newest = self.accounts.get(whose.0 as usize).and_then(|account| self.nodes.get(account.newest as usize));
        newest.map_or(0, |node| Self::ENVELOPE + node.texts)
    }

    /// Appends a message to an account, or to a new one; gives its place. Only after [`Waiting::try_reserve`].
    pub(super) fn push(
        &mut self,
        message: Message<A>,
        whose: Option<Whose>,
        epoch: u32,
        since: u32,
    ) -> Result<u32, Message<A>> {
        let at = self.free_node;
        let is_new = whose.is_none();
        let account = whose.map_or(self.free_account, |Whose(account)| account);
        let texts = message.text_len();
        let links = self.order.neighbours_of_next();
        let Some(node) = self.nodes.get_mut(at as usize).filter(|_| account != NONE) else { return Err(message) };
        let free = node.links.after;
        *node = WaitingMessage { message: Some(message), texts, links, newer: NONE, account, epoch, since };
        self.free_node = free;
        self.order.append(&mut self.nodes, at);
        self.len += 1;
        self.bytes += Self::ENVELOPE + self.charge(at);
        if is_new {
            if let Some(new) = self.accounts.get_mut(account as usize) {
                let free = new.links.after;
                *new = Account { bytes: 0, oldest: at, newest: at, links: Neighbours::free(NONE) };
                self.free_account = free;
            }
        } else if let Some(known) = self.accounts.get_mut(account as usize) {
            let newest = std::mem::replace(&mut known.newest, at);
            if let Some(newest) = self.nodes.get_mut(newest as usize) {
                newest.newer = at;
            }
        }
        self.resize(account, |bytes| bytes + Self::ENVELOPE + texts);
        Ok(at)
    }

    /// Puts a message in the place of the newest of its account; gives that place and the message that was there.
    pub(super) fn replace_newest(
        &mut self,
        whose: Whose,
        message: Message<A>,
    ) -> Result<(u32, Message<A>), Message<A>> {
        let Some(at) = self.accounts.get(whose.0 as usize).map(|account| account.newest) else { return Err(message) };
        let after = self.nodes.get(at as usize).map_or(NONE, |node| node.links.after);
        let charged = self.charge(at) + self.charge(after);
        let Some(node) = self.nodes.get_mut(at as usize) else { return Err(message) };
        let Some(mut older) = node.message.take() else { return Err(message) };
        let mut message = message;
        message.inherit(&mut older);
        let (texts, old_texts) = (message.text_len(), node.texts);
        (node.texts, node.message) = (texts, Some(message));
        self.bytes = self.bytes - charged + self.charge(at) + self.charge(after);
        self.resize(whose.0, |bytes| bytes - old_texts + texts);
        Ok((at, older))
    }

    /// Takes out the oldest message of all, with its epoch. The room of a queue that has run dry becomes `spare`, to be freed
    /// without the lock.
    #[inline]
    pub(super) fn pop(&mut self, spare: &mut Option<Spare<A>>) -> Option<(Message<A>, u32)> {
        let at = self.order.first;
        let epoch = self.unlink(at)?;
        let message = self.nodes.get_mut(at as usize)?.message.take()?;
        if self.len == 0 && self.nodes.len() > CHUNK {
            *spare = self.shrink();
        }
        Some((message, epoch))
    }

    /// Takes out the oldest message of an account unless it is the newest as well.
    pub(super) fn pop_older(&mut self, whose: Whose) -> Option<Message<A>> {
        let account = self.accounts.get(whose.0 as usize).filter(|account| account.oldest != account.newest)?;
        let oldest = account.oldest;
        self.remove(oldest)
    }

    /// Takes out the oldest message of one of the fattest accounts, if that is as fat as one of `bytes`. The last ones of their
    /// subscriptions are spared, so many at most.
    pub(super) fn pop_fattest(&mut self, bytes: usize, most_spared: usize) -> Option<Message<A>> {
        let class = CLASSES.checked_sub(1 + self.filled.leading_zeros() as usize)?;
        if class < class_of(bytes) {
            return None;
        }
        for spared in 0..=most_spared {
            let fattest = self.classes.get(class)?.first;
            let account = *self.accounts.get(fattest as usize)?;
            let oldest = self.nodes.get(account.oldest as usize)?;
            if spared < most_spared && oldest.message.as_ref().is_some_and(Message::is_last) {
                self.leave_class(fattest);
                self.enter_class(fattest);
                continue;
            }
            return self.remove(account.oldest);
        }
        None
    }

    fn remove(&mut self, at: u32) -> Option<Message<A>> {
        self.unlink(at)?;
        self.nodes.get_mut(at as usize)?.message.take()
    }

    /// Frees the node of a message, which is to be taken out of it next; gives its epoch.
    fn unlink(&mut self, at: u32) -> Option<u32> {
        let node = self.nodes.get(at as usize).filter(|node| node.message.is_some())?;
        let (links, newer, number, texts, epoch) = (node.links, node.newer, node.account, node.texts, node.epoch);
        let after = links.after;
        let charged = self.charge(at) + self.charge(after);
        let node = self.nodes.get_mut(at as usize)?;
        (node.texts, node.links.after) = (0, self.free_node);
        self.free_node = at;
        self.order.remove(&mut self.nodes, links);
        self.len -= 1;
        self.bytes = self.bytes - Self::ENVELOPE - charged + self.charge(after);
        // Only the oldest of an account is ever taken out.
        if newer == NONE {
            self.leave_class(number);
            if let Some(account) = self.accounts.get_mut(number as usize) {
                (account.bytes, account.links.after) = (0, self.free_account);
                self.free_account = number;
            }
        } else {
            if let Some(account) = self.accounts.get_mut(number as usize) {
                account.oldest = newer;
            }
            self.resize(number, |bytes| bytes - Self::ENVELOPE - texts);
        }
        Some(epoch)
    }

    /// Bytes that the texts of a message count: none, if those of the message before it are the same memory.
    fn charge(&self, at: u32) -> usize {
        if at == NONE {
            return 0;
        }
        let Some(node) = self.nodes.get(at as usize) else { return 0 };
        if node.links.before == NONE || node.texts == 0 {
            return node.texts;
        }
        let before = self.nodes.get(node.links.before as usize).filter(|before| before.texts == node.texts);
        let is_shared = match (before.and_then(|before| before.message.as_ref()), &node.message) {
            (Some(before), Some(message)) => message.shares_texts_with(before),
            _ => false,
        };
        if is_shared { 0 } else { node.texts }
    }

    /// Changes the bytes of an account, and its class if need be.
    fn resize(&mut self, number: u32, change: impl FnOnce(usize) -> usize) {
        let Some(account) = self.accounts.get(number as usize) else { return };
        let (old, new) = (account.bytes, change(account.bytes));
        let moves = old == 0 || class_of(old) != class_of(new);
        if moves && old > 0 {
            self.leave_class(number);
        }
        if let Some(account) = self.accounts.get_mut(number as usize) {
            account.bytes = new;
        }
        if moves {
            self.enter_class(number);
        }
    }

    /// Puts an account behind all others of its class.
    fn enter_class(&mut self, number: u32) {
        let Some(account) = self.accounts.get_mut(number as usize) else { return };
        let class = class_of(account.bytes);
        let Some(ends) = self.classes.get_mut(class) else { return };
        account.links = ends.neighbours_of_next();
        ends.append(&mut self.accounts, number);
        self.filled |= 1 << class;
    }

    fn leave_class(&mut self, number: u32) {
        let Some(&Account { bytes, links, .. }) = self.accounts.get(number as usize) else { return };
        let class = class_of(bytes);
        let Some(ends) = self.classes.get_mut(class) else { return };
        ends.remove(&mut self.accounts, links);
        if ends.is_empty() {
            self.filled &= !(1 << class);
        }
    }

    /// Goes back to the room of a new queue: nothing waits. Without memory for that the large one stays.
    fn shrink(&mut self) -> Option<Spare<A>> {
        let after = |at: u32| if (at as usize) + 1 < CHUNK { at + 1 } else { NONE };
        let nodes = self.nodes.take_rest();
        let accounts = self.accounts.take_rest();
        for at in 0..CHUNK as u32 {
            if let (Some(_), Some(node)) = (&nodes, self.nodes.get_mut(at as usize)) {
                (node.links.after, self.free_node) = (after(at), 0);
            }
            if let (Some(_), Some(account)) = (&accounts, self.accounts.get_mut(at as usize)) {
                (account.links.after, self.free_account) = (after(at), 0);
            }
        }
        Some(Spare { _nodes: nodes, _accounts: accounts })
    }
}

/// Adds free ones; gives the first.
fn grow<T, A: SharedAlloc>(chunks: &mut Chunks<T, CHUNK, A>, free: impl Fn(u32) -> T) -> Result<u32, OutOfMemory> {
    let end = u32::try_from(chunks.len() + CHUNK).map_err(|_| OutOfMemory)?;
    let first = end - CHUNK as u32;
    let mut next = first;
    chunks.try_grow(|_| {
        next += 1;
        free(if next < end { next } else { NONE })
    })?;
    Ok(first)
}

/// The class of accounts with so many bytes: the higher, the fatter. The last has all from four gigabytes on.
pub(super) fn class_of(bytes: usize) -> usize {
    let exponent = bytes.max(4).ilog2() as usize;
    (exponent * 4 + (bytes >> (exponent - 2) & 3)).min(CLASSES - 1)
}
