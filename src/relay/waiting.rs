//! Waiting items: lowest level first, and the items of one author one after the other. Pure.
//!
//! Every operation takes the same time, however many items and authors there are.

use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, RandomState};

use hashlink::LinkedHashSet;

use super::authors::Level;

/// Authors in the order of arrival.
type Line<A> = LinkedHashSet<A, RandomState>;

/// The waiting items, by author.
#[derive(Debug)]
pub(super) struct Waiting<A, T> {
    authors: HashMap<A, Author<T>>,
    /// One line for each level: authors with an item that may be taken.
    ready: [Line<A>; Level::COUNT],
    /// … and authors whose next item waits until the current one is done.
    held: [Line<A>; Level::COUNT],
    len: usize,
}

#[derive(Debug)]
struct Author<T> {
    /// In the order of arrival.
    items: VecDeque<T>,
    /// The line in which the author stands, if it has items.
    level: Level,
    /// Whether an item was taken and is not done yet.
    is_under_way: bool,
}

impl<A: Eq + Hash, T> Default for Waiting<A, T> {
    fn default() -> Self {
        let lines = || std::array::from_fn(|_| Line::with_hasher(RandomState::new()));
        Self { authors: HashMap::new(), ready: lines(), held: lines(), len: 0 }
    }
}

impl<A: Copy + Eq + Hash, T> Waiting<A, T> {
    /// `level`: the author's level now.
    pub(super) fn push(&mut self, author: A, item: T, level: Level) {
        let new = || Author { items: VecDeque::new(), level, is_under_way: false };
        let entry = self.authors.entry(author).or_insert_with(new);
        let lines = if entry.is_under_way { &mut self.held } else { &mut self.ready };
        if entry.items.is_empty() || entry.level != level {
            lines[entry.level.index()].remove(&author);
            lines[level.index()].insert(author);
            entry.level = level;
        }
        entry.items.push_back(item);
        self.len += 1;
    }

    /// Takes the next item, if its level is at most `open`. No other item of its author is taken until
    /// [`Waiting::done`]. `level_of` returns the level of an author as known now: if it has risen, the author
    /// moves back in line.
    pub(super) fn pop(&mut self, open: Level, level_of: impl Fn(&A) -> Level) -> Option<(A, T, Level)> {
        for level in Level::all().take_while(|level| *level <= open) {
            while let Some(author) = self.ready[level.index()].pop_front() {
                let Some(entry) = self.authors.get_mut(&author) else { continue };
                let now = level_of(&author);
                if now > level {
                    entry.level = now;
                    self.ready[now.index()].insert(author);
                    continue;
                }
                let Some(item) = entry.items.pop_front() else { continue };
                self.len -= 1;
                entry.is_under_way = true;
                if !entry.items.is_empty() {
                    self.held[entry.level.index()].insert(author);
                }
                return Some((author, item, level));
            }
        }
        None
    }

    /// The item taken of this author is done. Returns `true` if another item of this author may be taken now.
    pub(super) fn done(&mut self, author: &A) -> bool {
        let Some(entry) = self.authors.get_mut(author) else { return false };
        entry.is_under_way = false;
        if entry.items.is_empty() {
            self.forget(author);
            return false;
        }
        self.held[entry.level.index()].remove(author);
        self.ready[entry.level.index()].insert(*author)
    }

    /// Drops an item to make room for one of this level: the latest one of the last author in line. Returns
    /// `None` if no author is behind that level.
    pub(super) fn give_up_for(&mut self, level: Level) -> Option<T> {
        let later = Level::all().rev().take_while(|other| *other > level).map(Level::index);
        let (lines, at) = later
            .flat_map(|at| [(false, at), (true, at)])
            .find(|(held, at)| !(if *held { &self.held } else { &self.ready })[*at].is_empty())
            .map(|(held, at)| (if held { &mut self.held } else { &mut self.ready }, at))?;
        let author = *lines[at].back()?;
        let entry = self.authors.get_mut(&author)?;
        let item = entry.items.pop_back()?;
        self.len -= 1;
        if entry.items.is_empty() {
            lines[at].remove(&author);
            if !entry.is_under_way {
                self.forget(&author);
            }
        }
        Some(item)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// An author of whom nothing waits and nothing is under way.
    fn forget(&mut self, author: &A) {
        /// Below this, shrinking gains nothing.
        const SMALL: usize = 64;

        self.authors.remove(author);
        // A flood that has passed leaves no room behind.
        let (len, capacity) = (self.authors.len(), self.authors.capacity());
        if capacity > SMALL && len * 4 < capacity {
            self.authors.shrink_to(len * 2);
            self.ready.iter_mut().chain(&mut self.held).for_each(Line::shrink_to_fit);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(n: usize) -> Level {
        Level::all().nth(n).unwrap()
    }

    /// Takes the next item, as if it were done at once.
    fn next<T>(
        waiting: &mut Waiting<usize, T>,
        open: Level,
        of: impl Fn(&usize) -> Level,
    ) -> Option<(T, Level)> {
        let (author, item, at) = waiting.pop(open, of)?;
        waiting.done(&author);
        Some((item, at))
    }

    #[test]
    fn the_lowest_level_comes_first_and_within_it_who_came_first() {
        let mut waiting = Waiting::default();
        let levels = [3, 1, 3, 0, 1];
        for (author, at) in levels.into_iter().enumerate() {
            waiting.push(author, author, level(at));
        }
        let of = |author: &usize| level(levels[*author]);
        let order: Vec<_> =
            std::iter::from_fn(|| next(&mut waiting, Level::MANY, of)).map(|(n, _)| n).collect();
        assert_eq!(order, [3, 1, 4, 0, 2]);
        assert_eq!((waiting.len(), waiting.authors.len()), (0, 0));
    }

    #[test]
    fn what_is_not_open_waits() {
        let mut waiting = Waiting::default();
        waiting.push(1, "few", level(2));
        waiting.push(2, "many", Level::MANY);
        let of = |author: &usize| if *author == 1 { level(2) } else { Level::MANY };
        assert_eq!(next(&mut waiting, Level::WAITED_FOR, of), None);
        assert_eq!(next(&mut waiting, Level::FEW, of), Some(("few", level(2))));
        assert_eq!(next(&mut waiting, Level::FEW, of), None);
        assert_eq!(next(&mut waiting, Level::MANY, of), Some(("many", Level::MANY)));
    }

    #[test]
    fn an_author_who_has_been_charged_since_waits_on_behind_others() {
        let mut waiting = Waiting::default();
        waiting.push(1, "flood", level(1));
        waiting.push(2, "newcomer", level(1));
        let charged = |author: &usize| if *author == 1 { Level::MANY } else { level(1) };
        assert_eq!(next(&mut waiting, Level::MANY, charged), Some(("newcomer", level(1))));
        assert_eq!(next(&mut waiting, Level::FEW, charged), None);
        assert_eq!(next(&mut waiting, Level::MANY, charged), Some(("flood", Level::MANY)));
    }

    #[test]
    fn who_comes_last_is_given_up_first_and_never_for_somebody_who_comes_later() {
        let mut waiting = Waiting::default();
        for (author, at) in [2, 5, 5, 7].into_iter().enumerate() {
            waiting.push(author, at, level(at));
        }
        let given_up: Vec<_> = std::iter::from_fn(|| waiting.give_up_for(level(3))).collect();
        assert_eq!(given_up, [7, 5, 5]);
        assert_eq!((waiting.len(), waiting.authors.len()), (1, 1));
        assert_eq!(waiting.give_up_for(level(2)), None);
    }

    #[test]
    fn nothing_of_an_author_is_taken_while_something_of_theirs_is_under_way() {
        let mut waiting = Waiting::default();
        let of = |_: &usize| level(1);
        for n in 0..3 {
            waiting.push(1, n, level(1));
        }
        waiting.push(2, 9, level(1));
        assert_eq!(waiting.pop(Level::MANY, of), Some((1, 0, level(1))));
        assert_eq!(waiting.pop(Level::MANY, of), Some((2, 9, level(1))), "others are not held up");
        assert_eq!(waiting.pop(Level::MANY, of), None);
        waiting.push(1, 3, level(1));
        assert_eq!(waiting.pop(Level::MANY, of), None, "what comes meanwhile waits, too");
        assert!(waiting.done(&1) && !waiting.done(&2));
        assert_eq!(waiting.pop(Level::MANY, of), Some((1, 1, level(1))));
    }

    #[test]
    fn an_author_who_floods_while_something_of_theirs_is_under_way_takes_no_room_from_others() {
        let mut waiting = Waiting::default();
        waiting.push(1, "first", level(1));
        waiting.pop(Level::MANY, |_| level(1)).unwrap();
        for item in ["second", "third"] {
            waiting.push(1, item, level(4));
        }
        assert_eq!(waiting.give_up_for(level(1)), Some("third"));
        assert_eq!(waiting.give_up_for(level(1)), Some("second"));
        assert_eq!(waiting.give_up_for(level(1)), None);
        assert!(!waiting.done(&1) && waiting.authors.is_empty());
    }

    #[test]
    fn a_flood_that_has_passed_leaves_no_room_behind() {
        let mut waiting = Waiting::default();
        (0..10_000).for_each(|author| waiting.push(author, (), Level::MANY));
        while next(&mut waiting, Level::MANY, |_| Level::MANY).is_some() {}
        assert!(waiting.authors.capacity() < 256 && waiting.ready[Level::MANY.index()].capacity() < 256);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up_and_each_author_is_heard_in_order(
            acts in proptest::collection::vec((0_usize..4, 0_usize..8, 0_usize..6), 0..300),
        ) {
            let (mut waiting, mut out) = (Waiting::default(), Vec::new());
            let (mut under_way, mut given_up) = (Vec::new(), 0);
            for (n, (author, at, act)) in acts.iter().enumerate() {
                match act {
                    0..3 => waiting.push(*author, n, level(*at)),
                    3 => given_up += usize::from(waiting.give_up_for(level(*at)).is_some()),
                    4 => if let Some((author, item, _)) = waiting.pop(level(*at), |author| level(author + 1)) {
                        prop_assert!(!under_way.contains(&author));
                        under_way.push(author);
                        out.push((author, item));
                    },
                    _ => if let Some(author) = under_way.pop() { waiting.done(&author); },
                }
            }
            under_way.iter().for_each(|author| { waiting.done(author); });
            while let Some((author, item, _)) = waiting.pop(Level::MANY, |_| Level::MANY) {
                waiting.done(&author);
                out.push((author, item));
            }
            let pushed = acts.iter().filter(|(_, _, act)| *act < 3).count();
            prop_assert_eq!((out.len() + given_up, waiting.len()), (pushed, 0));
            prop_assert!(waiting.authors.is_empty());
            for author in 0..4 {
                let of_one: Vec<_> = out.iter().filter(|(of, _)| *of == author).map(|(_, item)| item).collect();
                prop_assert!(of_one.is_sorted(), "{:?}", of_one);
            }
        }
    }
}
