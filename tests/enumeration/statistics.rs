//! tests/enumeration/statistics.rs: whether two kinds of answers take the same time, and what a look at
//! so many of them would have found.

/// Of the whole table of pairs, what is allowed to be a false alarm: one run in 1,000 (Bonferroni over
/// pairs and over the two tests of each).
const FALSE_ALARM: f64 = 0.001;

/// How much apart two kinds may be, as a ratio: the first on a machine that is quiet, the last on one
/// that its neighbours keep busy. A hash that is made or not made is more than twice.
const SHIFTS: [f64; 4] = [1.05, 1.1, 1.2, 1.5];

/// How often such a difference must be found.
const POWER: f64 = 0.95;

/// How many times the rounds are drawn anew, for the power.
const RESAMPLES: usize = 1_000;

/// Times of several kinds, each kind once a round, so that whatever else the machine does falls on all
/// of them alike.
pub struct Rounds<const KINDS: usize> {
    names: [&'static str; KINDS],
    seconds: Vec<[f64; KINDS]>,
}

/// What two kinds have been found to be.
#[derive(Debug)]
pub struct Found {
    pub what: String,
    /// How much longer the second takes than the first, as a ratio: a confidence interval.
    pub ratio: (f64, f64),
    /// The largest distance of the two distributions, and the least that is no chance.
    pub distance: (f64, f64),
    /// How often a difference of each of [`SHIFTS`] would be found.
    pub power: [f64; SHIFTS.len()],
}

impl Found {
    /// No chance that the answers come from one distribution.
    pub fn differs(&self) -> bool {
        !(self.ratio.0..=self.ratio.1).contains(&1.0) || self.distance.0 > self.distance.1
    }

    /// Whatever the difference is, it is less than twice what would be found (of two kinds that are the
    /// same, the interval is hardly ever wider).
    pub fn is_alike(&self) -> bool {
        let least = 2.0 * self.finds().unwrap_or(1.0).ln();
        self.ratio.0.ln() > -least && self.ratio.1.ln() < least
    }

    /// The least of [`SHIFTS`] that would be found.
    pub fn finds(&self) -> Option<f64> {
        SHIFTS
            .into_iter()
            .zip(self.power)
            .find(|(_, power)| *power >= POWER)
            .map(|(shift, _)| shift)
    }

    pub fn is_sharp(&self) -> bool {
        self.finds() == Some(SHIFTS[0])
    }
}

impl<const KINDS: usize> Rounds<KINDS> {
    pub fn new(names: [&'static str; KINDS]) -> Self {
        Rounds { names, seconds: Vec::new() }
    }

    pub fn push(&mut self, seconds: [f64; KINDS]) {
        self.seconds.push(seconds);
    }

    pub fn len(&self) -> usize {
        self.seconds.len()
    }

    pub fn median(&self, kind: usize) -> f64 {
        let mut times: Vec<_> = self.seconds.iter().map(|round| round[kind]).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// Each pair of the first `kinds`.
    pub fn pairs(&self, kinds: usize) -> Vec<Found> {
        let count = kinds * (kinds - 1) / 2;
        let alpha = FALSE_ALARM / (2 * count) as f64;
        let pairs = (0..kinds).flat_map(|a| (a + 1..kinds).map(move |b| (a, b)));
        pairs.map(|(a, b)| self.compare(a, b, alpha)).collect()
    }

    /// The second against the first, alone.
    pub fn pair(&self, a: usize, b: usize) -> Found {
        self.compare(a, b, FALSE_ALARM / 2.0)
    }

    /// As [`pair`](Self::pair), had each `every`th answer of kind `b` taken no time to speak of.
    pub fn pair_with_early(&self, a: usize, b: usize, every: usize) -> Found {
        let mut planted = Rounds { names: self.names, seconds: self.seconds.clone() };
        planted.seconds.iter_mut().step_by(every).for_each(|round| round[b] /= 10.0);
        planted.pair(a, b)
    }

    fn compare(&self, a: usize, b: usize, alpha: f64) -> Found {
        let logs = self.seconds.iter().map(|round| (round[b] / round[a]).ln());
        let mut logs: Vec<_> = logs.collect();
        let rank = rank(logs.len(), alpha);
        let (low, high) = interval(&mut logs, rank);
        let column = |kind: usize| self.seconds.iter().map(move |round| round[kind]).collect();
        let critical = (-(alpha / 2.0).ln() / self.len() as f64).sqrt();
        Found {
            what: format!("{} and {}", self.names[a], self.names[b]),
            ratio: (low.exp(), high.exp()),
            distance: (distance(column(a), column(b)), critical),
            power: SHIFTS.map(|shift| power(&logs, rank, shift)),
        }
    }
}

/// The largest r of which the r-th of n signs from below is that far out with a chance of `alpha` at
/// most, both ends together.
fn rank(n: usize, alpha: f64) -> usize {
    // As a logarithm: a half to the power of some thousand rounds is no number.
    let mut term = n as f64 * 0.5_f64.ln();
    let mut sum = 0.0;
    for k in 0..n / 2 {
        sum += term.exp();
        if 2.0 * sum > alpha {
            return k;
        }
        term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    n / 2
}

/// The confidence interval of the median, by the sign test: it asks for no shape of the distribution,
/// and single answers that took ever so long change nothing.
fn interval(values: &mut [f64], rank: usize) -> (f64, f64) {
    assert!(rank > 0, "too few rounds");
    values.sort_by(f64::total_cmp);
    (values[rank - 1], values[values.len() - rank])
}

/// Kolmogorov and Smirnov's distance of two samples of the same size.
fn distance(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let below = |times: &[f64], time| times.partition_point(|other| *other <= time) as f64;
    let gap = |time: &f64| (below(&a, *time) - below(&b, *time)).abs();
    a.iter().chain(&b).map(gap).fold(0.0, f64::max) / a.len() as f64
}

/// How often the sign test finds this difference in as many rounds of the same noise: the measured
/// ones, put around it, drawn anew with replacement.
fn power(logs: &[f64], rank: usize, shift: f64) -> f64 {
    let shift = shift.ln() - logs[logs.len() / 2];
    let mut random = Random(logs.len() as u64);
    let mut found = 0;
    for _ in 0..RESAMPLES {
        let drawn = (0..logs.len()).map(|_| logs[random.below(logs.len())] + shift);
        // The interval leaves out what is no difference.
        let above = drawn.filter(|log| *log > 0.0).count();
        found += usize::from(above > logs.len() - rank);
    }
    found as f64 / RESAMPLES as f64
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    pub fn order<const N: usize>(&mut self) -> [usize; N] {
        let mut order = std::array::from_fn(|n| n);
        for last in (1..N).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}
