//! When the ticks of a CPU come, so that no program keeps in step with them.
//!
//! A program that does a little at each turn of a timer of our rate would be seen always or never. About once a second the
//! period of a CPU's event is changed a little, so that its ticks drift by some three periods through whatever else has that
//! rate, now ahead and now behind. What is set is reckoned from the ticks that came so far: over any time there is a tick for
//! each period of it, but for three or so.
//!
//! The kernel begins a whole period when one is set (`__perf_event_period` in kernel/events/core.c, from 4.2 on), so the time since
//! the last tick is owed.

/// How long a period stays at least: in nanoseconds, and in periods.
const STRETCH: u64 = 1_000_000_000;
const STRETCH_PERIODS: u64 = 96;
/// A period is changed by this part of it at most.
const MOST: i64 = 16;

/// The ticks of one CPU. Times are nanoseconds of one clock that goes on.
#[derive(Debug)]
pub(crate) struct Pace {
    /// What one tick stands for.
    period: u64,
    /// What is set, and since when.
    set: u64,
    since: u64,
    /// Time that no tick stands for; below zero if ticks stand for more.
    owed: i64,
    ahead: bool,
    random: u64,
}

impl Pace {
    /// Of an event that begins now.
    pub(crate) fn new(period: u64, now: u64, seed: u64) -> Self {
        let period = period.max(1);
        let mut pace =
            Self { period, set: period, since: now, owed: 0, ahead: false, random: now ^ seed.rotate_left(32) };
        pace.ahead = pace.draw() & 1 == 1;
        pace.choose();
        pace
    }

    /// The period that is set.
    pub(crate) fn set(&self) -> u64 {
        self.set
    }

    /// The period to set now, if it is time for another.
    pub(crate) fn change(&mut self, now: u64) -> Option<u64> {
        let elapsed = now.saturating_sub(self.since);
        if elapsed < self.stretch() {
            return None;
        }
        let ticks = elapsed / self.set;
        self.owed = self.owed.saturating_add(elapsed as i64 - (ticks * self.period) as i64);
        self.since = now;
        self.choose();
        Some(self.set)
    }

    /// How long a period stays at least.
    fn stretch(&self) -> u64 {
        STRETCH.max(STRETCH_PERIODS * self.period)
    }

    fn choose(&mut self) {
        let (period, stretch) = (self.period as i64, self.stretch() as i64);
        // One to two periods, on the other side than the last time.
        let lead = period + (self.draw() % self.period) as i64;
        self.ahead = !self.ahead;
        let more = self.owed.saturating_add(if self.ahead { lead } else { -lead });
        let more = more.clamp(-stretch / MOST, stretch / MOST);
        self.set = (i128::from(stretch) * i128::from(period) / i128::from(stretch + more)) as u64;
    }

    /// A number that does not follow from the one before. Source: splitmix64 by S. Vigna.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// An event as the kernel has it: its ticks for this long, where a look comes when `late` says.
    fn ticks(hz: u64, seconds: u64, seed: u64, mut late: impl FnMut(u64) -> u64) -> Vec<u64> {
        let period = SECOND / hz;
        let begin = 7 * SECOND;
        let mut pace = Pace::new(period, begin, seed);
        let (mut ticks, mut next, mut set, mut look) = (Vec::new(), begin + pace.set(), pace.set(), begin);
        for round in 0.. {
            look += SECOND + late(round);
            while next < look.min(begin + seconds * SECOND) {
                ticks.push(next);
                next += set;
            }
            if look >= begin + seconds * SECOND {
                break;
            }
            if let Some(period) = pace.change(look) {
                set = period;
                next = look + period;
            }
        }
        ticks
    }

    #[track_caller]
    fn check(hz: u64, seconds: u64, most: i64, late: impl FnMut(u64) -> u64) {
        let came = ticks(hz, seconds, hz, late).len() as i64;
        let due = (seconds * SECOND / (SECOND / hz)) as i64;
        assert!((came - due).abs() <= most, "{came} ticks where {due} are due: {hz} Hz for {seconds} s");
    }

    #[test]
    fn there_is_a_tick_for_each_period_of_any_time() {
        for hz in [1, 7, 19, 97, 100, 997, 10_000] {
            for seconds in [60, 61, 300, 3_600] {
                check(hz, seconds, 3, |_| 0);
                check(hz, seconds, 5, |round| round * 7_919_003 % (SECOND / 2));
                // Held up now and then.
                check(hz, seconds, 10, |round| if round % 11 == 3 { SECOND * 13 / 10 } else { 1_234_567 });
            }
        }
    }

    #[test]
    fn long_without_a_look_a_rate_is_off_by_little_and_mends() {
        let came = ticks(97, 3_600, 1, |round| if round == 5 { 60 * SECOND } else { 0 });
        let due = 3_600 * SECOND / (SECOND / 97);
        assert!(came.len().abs_diff(due as usize) <= 5, "{} ticks, {due} are due", came.len());
    }

    #[test]
    fn a_program_in_step_is_seen_for_its_share_of_the_time() {
        let period = SECOND / 97;
        for seed in 0..20 {
            // Busy for a tenth of each period, at any place in it.
            let from = seed * period / 20;
            let busy = |tick: &&u64| (**tick + period - from) % period < period / 10;
            let all = ticks(97, 60, seed, |_| 3_000_000 * (seed + 1));
            let seen = all.iter().filter(busy).count() as f64 / all.len() as f64;
            assert!((0.08..=0.12).contains(&seen), "seen for {seen:.3} of the time from {from}");
        }
    }

    #[test]
    fn a_period_is_never_changed_by_much() {
        let mut pace = Pace::new(SECOND / 97, 0, 3);
        let mut now = 0;
        for round in 0..10_000_u64 {
            now += SECOND + round * 7_919 % SECOND;
            let set = pace.change(now).expect("it is time") as f64 / (SECOND / 97) as f64;
            assert!((0.93..=1.07).contains(&set), "{set}");
        }
        assert_eq!(pace.change(now + SECOND / 2), None);
    }
}
