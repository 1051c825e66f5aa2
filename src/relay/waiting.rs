//! Frames that wait to be looked at, those of the lowest level first. Pure.

use std::collections::VecDeque;

use super::authors::Level;

/// A line for each level.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    lines: [VecDeque<T>; Level::COUNT],
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { lines: Default::default() }
    }
}

impl<T> Waiting<T> {
    pub(super) fn push(&mut self, item: T, level: Level) {
        self.lines[level.index()].push_back(item);
    }

    /// What comes next, if its level is no higher than `open`. `level_of` tells the level of an item by what
    /// is known now: an author's other events may have been charged since it came, and then it waits on.
    pub(super) fn pop(&mut self, open: Level, level_of: impl Fn(&T) -> Level) -> Option<(T, Level)> {
        for level in Level::all().take_while(|level| *level <= open) {
            while let Some(item) = self.lines[level.index()].pop_front() {
                let now = level_of(&item);
                if now <= level {
                    return Some((item, level));
                }
                self.push(item, now);
            }
        }
        None
    }

    /// Gives up an item in favour of one of this level: the latest of those who come last. `None`: nobody
    /// comes later than that one.
    pub(super) fn give_up_for(&mut self, level: Level) -> Option<T> {
        let later = Level::all().rev().take_while(|other| *other > level);
        let last = later.map(Level::index).find(|index| !self.lines[*index].is_empty())?;
        let line = &mut self.lines[last];
        let item = line.pop_back();
        // A flood that has passed leaves no room behind.
        if line.len() * 4 < line.capacity() {
            line.shrink_to(line.len() * 2);
        }
        item
    }

    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(n: usize) -> Level {
        Level::all().nth(n).unwrap()
    }

    #[test]
    fn the_lowest_level_comes_first_and_within_it_who_came_first() {
        let mut waiting = Waiting::default();
        for (n, at) in [(0, 3), (1, 1), (2, 3), (3, 0), (4, 1)] {
            waiting.push((n, level(at)), level(at));
        }
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop(Level::MANY, |(_, level)| *level))
            .map(|((n, _), _)| n)
            .collect();
        assert_eq!(order, [3, 1, 4, 0, 2]);
    }

    #[test]
    fn a_crowd_of_one_author_falls_back_when_the_first_of_it_was_charged() {
        let mut waiting = Waiting::default();
        (0..1000).for_each(|_| waiting.push("flood", level(1)));
        waiting.push("newcomer", level(1));
        let charged = |item: &&str| if *item == "flood" { Level::MANY } else { level(1) };
        assert_eq!(waiting.pop(Level::MANY, charged), Some(("newcomer", level(1))));
        assert_eq!(waiting.pop(Level::FEW, charged), None);
        assert_eq!(waiting.pop(Level::MANY, charged), Some(("flood", Level::MANY)));
    }

    #[test]
    fn who_comes_last_is_given_up_first_and_never_for_somebody_who_comes_later() {
        let mut waiting = Waiting::default();
        for at in [2, 5, 5, 7] {
            waiting.push(at, level(at));
        }
        let given_up: Vec<_> = std::iter::from_fn(|| waiting.give_up_for(level(3))).collect();
        assert_eq!(given_up, [7, 5, 5]);
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting.give_up_for(level(2)), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up(
            levels in proptest::collection::vec(0_usize..8, 0..200),
            drop in 0_usize..8,
        ) {
            let mut waiting = Waiting::default();
            for (n, at) in levels.iter().enumerate() {
                waiting.push((n, level(*at)), level(*at));
            }
            let mut all: Vec<_> = std::iter::from_fn(|| waiting.give_up_for(level(drop))).map(|(n, _)| n).collect();
            prop_assert_eq!(waiting.len() + all.len(), levels.len());
            all.extend(std::iter::from_fn(|| waiting.pop(Level::MANY, |(_, at)| *at)).map(|((n, _), _)| n));
            all.sort_unstable();
            prop_assert_eq!(all, (0..levels.len()).collect::<Vec<_>>());
        }
    }
}
