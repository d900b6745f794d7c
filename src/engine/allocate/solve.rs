//! The exact allocation: one choice from each group, least harm in all, cost within the limit (a
//! multiple-choice knapsack).
//!
//! Partial solutions are extended group by group. A partial solution is dropped when another is at
//! least as good in cost and harm, or when even the linear relaxation of the remaining groups cannot
//! bring it below the best solution known. What is left at the end is optimal; nothing is rounded.

use std::cmp::Ordering;

/// One way to treat a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// What it adds to the cost.
    pub cost: f64,
    /// What it adds to the harm.
    pub harm: f64,
}

/// An allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Index of the choice of each group.
    pub chosen: Vec<usize>,
    /// Sum of costs.
    pub cost: f64,
    /// Sum of harms.
    pub harm: f64,
}

/// Relative slack of comparisons with the limit and with bounds: sums of floats in another order.
const SLACK: f64 = 1e-12;

/// The least-harm choices within `limit`; among equals the cheapest. `None` when nothing fits.
///
/// # Panics
/// When a group has no choice, or a number is not finite.
#[must_use]
pub fn solve(groups: &[Vec<Choice>], limit: f64) -> Option<Solution> {
    for choice in groups.iter().flatten() {
        assert!(
            choice.cost.is_finite() && choice.harm.is_finite(),
            "{choice:?}"
        );
    }
    let limit = limit + SLACK * limit.abs();
    let groups: Vec<Vec<(usize, Choice)>> = groups.iter().map(|g| undominated(g)).collect();
    let order = hardest_first(&groups);
    let hulls: Vec<Hull> = order
        .iter()
        .map(|&group| Hull::of(&groups[group]))
        .collect();
    let rest = Relaxation::suffixes(&hulls);
    let mut best = rounded(&groups, &order, &hulls, limit)?;
    let mut steps = vec![vec![Step::START]];
    for (depth, &group) in order.iter().enumerate() {
        let last = &steps[depth];
        let next = extend(last, &groups[group], |cost, harm| {
            let bound = rest[depth + 1].bound(limit - cost);
            bound.is_some_and(|bound| harm + bound <= best + SLACK * best.abs())
        });
        steps.push(next);
        improve(&mut best, &steps, &rest[depth + 1], limit);
    }
    let end = steps
        .last()?
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| better(a, b))?
        .0;
    Some(trace(&groups, &order, &steps, end))
}

/// A partial solution: its sums, and how it came about.
#[derive(Debug, Clone, Copy)]
struct Step {
    cost: f64,
    harm: f64,
    previous: u32,
    choice: u32,
}

impl Step {
    const START: Self = Self {
        cost: 0.0,
        harm: 0.0,
        previous: 0,
        choice: 0,
    };
}

fn better(a: &Step, b: &Step) -> Ordering {
    a.harm.total_cmp(&b.harm).then(a.cost.total_cmp(&b.cost))
}

/// Choices that no other choice beats in both, cheapest first, with their places.
fn undominated(group: &[Choice]) -> Vec<(usize, Choice)> {
    let mut sorted: Vec<(usize, Choice)> = group.iter().copied().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost).then(a.harm.total_cmp(&b.harm)));
    let mut kept: Vec<(usize, Choice)> = Vec::new();
    for (place, choice) in sorted {
        if kept.last().is_none_or(|(_, last)| choice.harm < last.harm) {
            kept.push((place, choice));
        }
    }
    assert!(!kept.is_empty(), "a group without a choice");
    kept
}

/// Groups whose harm varies most come first: their partial solutions are told apart early.
fn hardest_first(groups: &[Vec<(usize, Choice)>]) -> Vec<usize> {
    let span = |group: &[(usize, Choice)]| group[0].1.harm - group[group.len() - 1].1.harm;
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| span(&groups[b]).total_cmp(&span(&groups[a])));
    order
}

/// The lower convex hull of a group's choices.
struct Hull {
    cheapest: Choice,
    /// Cost and harm saved by each step up the hull, best ratio first.
    steps: Vec<(f64, f64)>,
    /// Harm of the dearest choice.
    least_harm: f64,
    /// Places, among the undominated choices, of the hull's corners.
    corners: Vec<usize>,
}

impl Hull {
    fn of(group: &[(usize, Choice)]) -> Self {
        let mut corners: Vec<usize> = Vec::new();
        let ratio = |from: usize, to: usize| {
            let (from, to) = (group[from].1, group[to].1);
            (from.harm - to.harm) / (to.cost - from.cost)
        };
        for place in 0..group.len() {
            while let [.., a, b] = corners[..] {
                if ratio(b, place) < ratio(a, b) {
                    break;
                }
                corners.pop();
            }
            corners.push(place);
        }
        let steps = corners
            .windows(2)
            .map(|pair| {
                let (from, to) = (group[pair[0]].1, group[pair[1]].1);
                (to.cost - from.cost, from.harm - to.harm)
            })
            .collect();
        Self {
            cheapest: group[0].1,
            steps,
            least_harm: group[group.len() - 1].1.harm,
            corners,
        }
    }
}

/// The linear relaxation of some groups: least harm as a function of the money left.
struct Relaxation {
    /// Cost of the cheapest choices.
    cost: f64,
    /// Money spent beyond that, and harm left, after each number of steps, best ratio first. Harm
    /// is summed from the last step back, so that small remainders keep their digits.
    after: Vec<(f64, f64)>,
}

impl Relaxation {
    fn suffixes(hulls: &[Hull]) -> Vec<Self> {
        (0..=hulls.len())
            .map(|from| Self::of(&hulls[from..]))
            .collect()
    }

    fn of(hulls: &[Hull]) -> Self {
        let mut steps: Vec<(f64, f64)> = hulls
            .iter()
            .flat_map(|hull| hull.steps.iter().copied())
            .collect();
        steps.sort_by(|a, b| (b.1 * a.0).total_cmp(&(a.1 * b.0)));
        let mut after = vec![(0.0, hulls.iter().map(|hull| hull.least_harm).sum())];
        for &(_, harm) in steps.iter().rev() {
            let left: f64 = after[after.len() - 1].1;
            after.push((0.0, left + harm));
        }
        after.reverse();
        let mut spent = 0.0;
        for (step, (cost, _)) in steps.iter().enumerate() {
            spent += cost;
            after[step + 1].0 = spent;
        }
        Self {
            cost: hulls.iter().map(|hull| hull.cheapest.cost).sum(),
            after,
        }
    }

    /// Whole steps that `money` pays for: what they cost, and the harm left; `None` when even the
    /// cheapest choices cost more.
    fn whole(&self, money: f64) -> Option<(usize, f64)> {
        let spare = money - self.cost;
        if spare < -SLACK * money.abs().max(self.cost.abs()) {
            return None;
        }
        let paid = self.after.partition_point(|&(cost, _)| cost <= spare);
        Some((paid.max(1) - 1, spare))
    }

    /// Least harm with `money` to spend.
    fn bound(&self, money: f64) -> Option<f64> {
        let (steps, spare) = self.whole(money)?;
        let (spent, left) = self.after[steps];
        let Some(&(cost, harm)) = self.after.get(steps + 1) else {
            return Some(left);
        };
        let share = ((spare - spent) / (cost - spent)).clamp(0.0, 1.0);
        Some(harm + (1.0 - share) * (left - harm))
    }
}

/// Harm of a first solution: the relaxation's steps taken whole, best ratio first, where they fit.
fn rounded(
    groups: &[Vec<(usize, Choice)>],
    order: &[usize],
    hulls: &[Hull],
    limit: f64,
) -> Option<f64> {
    let mut place = vec![0; hulls.len()];
    let mut cost: f64 = hulls.iter().map(|hull| hull.cheapest.cost).sum();
    if cost > limit {
        return None;
    }
    let mut steps: Vec<(usize, usize, f64, f64)> = Vec::new();
    for (index, hull) in hulls.iter().enumerate() {
        let numbered = hull.steps.iter().enumerate();
        steps.extend(numbered.map(|(step, &(cost, harm))| (index, step, cost, harm)));
    }
    steps.sort_by(|a, b| (b.3 * a.2).total_cmp(&(a.3 * b.2)));
    for (index, step, extra, _) in steps {
        if place[index] == step && cost + extra <= limit {
            place[index] = step + 1;
            cost += extra;
        }
    }
    let chosen = order.iter().zip(hulls).zip(&place);
    Some(
        chosen
            .map(|((&group, hull), &at)| groups[group][hull.corners[at]].1.harm)
            .sum(),
    )
}

/// All promising extensions of partial solutions by one group, cheapest first.
fn extend(
    last: &[Step],
    group: &[(usize, Choice)],
    promising: impl Fn(f64, f64) -> bool,
) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::with_capacity(last.len() * group.len());
    for (previous, step) in last.iter().enumerate() {
        for (choice, (_, by)) in group.iter().enumerate() {
            let (cost, harm) = (step.cost + by.cost, step.harm + by.harm);
            if promising(cost, harm) {
                all.push(Step {
                    cost,
                    harm,
                    previous: previous as u32,
                    choice: choice as u32,
                });
            }
        }
    }
    all.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.harm.total_cmp(&b.harm)));
    let mut kept: Vec<Step> = Vec::with_capacity(all.len());
    for step in all {
        if kept.last().is_none_or(|last| step.harm < last.harm) {
            kept.push(step);
        }
    }
    kept
}

/// Lowers the best known harm by completing partial solutions with the relaxation's whole steps.
fn improve(best: &mut f64, steps: &[Vec<Step>], rest: &Relaxation, limit: f64) {
    for step in steps.last().into_iter().flatten() {
        if let Some((whole, _)) = rest.whole(limit - step.cost) {
            *best = best.min(step.harm + rest.after[whole].1);
        }
    }
}

/// Follows a solution back to its choices.
fn trace(
    groups: &[Vec<(usize, Choice)>],
    order: &[usize],
    steps: &[Vec<Step>],
    end: usize,
) -> Solution {
    let mut chosen = vec![0; groups.len()];
    let last = steps[order.len()][end];
    let mut step = last;
    for (depth, &group) in order.iter().enumerate().rev() {
        chosen[group] = groups[group][step.choice as usize].0;
        step = steps[depth][step.previous as usize];
    }
    Solution {
        chosen,
        cost: last.cost,
        harm: last.harm,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brute_force(groups: &[Vec<Choice>], limit: f64) -> Option<(f64, f64)> {
        let mut all = vec![(0.0, 0.0)];
        for group in groups {
            all = all
                .iter()
                .flat_map(|&(cost, harm)| group.iter().map(move |c| (cost + c.cost, harm + c.harm)))
                .collect();
        }
        let fits = all
            .into_iter()
            .filter(|&(cost, _)| cost <= limit * (1.0 + 1e-12));
        fits.min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)))
    }

    fn choice() -> impl Strategy<Value = Choice> {
        (1u32..60, -9.0f64..4.0).prop_map(|(cost, exponent)| Choice {
            cost: f64::from(cost),
            harm: 10f64.powf(exponent),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn the_solution_is_as_good_as_trying_everything(
            groups in prop::collection::vec(prop::collection::vec(choice(), 1..5), 1..8),
            limit in 1.0f64..300.0,
        ) {
            let exact = brute_force(&groups, limit);
            let found = solve(&groups, limit);
            prop_assert_eq!(found.is_some(), exact.is_some());
            if let (Some(found), Some((_, harm))) = (found, exact) {
                prop_assert!(found.cost <= limit * (1.0 + 1e-9));
                prop_assert!((found.harm - harm).abs() <= 1e-9 * harm.max(1e-12));
                let sum: f64 =
                    groups.iter().zip(&found.chosen).map(|(g, &c)| g[c].harm).sum();
                prop_assert!((sum - found.harm).abs() <= 1e-9 * harm.max(1e-12));
            }
        }
    }

    #[test]
    fn two_hundred_layers_of_seven_widths_are_solved() {
        let groups: Vec<Vec<Choice>> = (0..200u32)
            .map(|i| {
                let n = f64::from(1 + i * 7919 % 5003) * 9.0;
                let curvature = 10f64.powf(f64::from(i * 104_729 % 997) / 200.0 - 3.0);
                (2..9)
                    .map(|bits| Choice {
                        cost: n * f64::from(bits),
                        harm: curvature * n.sqrt() * 4f64.powi(-bits),
                    })
                    .collect()
            })
            .collect();
        let cheapest: f64 = groups.iter().map(|g| g[0].cost).sum();
        for factor in [1.05, 1.3, 1.7, 2.5] {
            let solution = solve(&groups, cheapest * factor).unwrap();
            assert!(solution.cost <= cheapest * factor);
            let relaxed = Relaxation::of(
                &groups
                    .iter()
                    .map(|g| Hull::of(&undominated(g)))
                    .collect::<Vec<_>>(),
            );
            let bound = relaxed.bound(cheapest * factor).unwrap();
            assert!(solution.harm >= bound * (1.0 - 1e-9) && solution.harm <= bound * 1.01);
        }
    }

    #[test]
    fn nothing_fits_below_the_cheapest() {
        let group = vec![
            Choice {
                cost: 2.0,
                harm: 1.0,
            },
            Choice {
                cost: 4.0,
                harm: 0.0,
            },
        ];
        assert!(solve(&[group.clone(), group], 3.9).is_none());
    }
}
