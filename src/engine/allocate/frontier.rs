//! The Pareto frontier: the least harm at every cost.

use super::solve::{Choice, solve};

/// Points between the cheapest and the dearest plan, at most.
const POINTS: usize = 96;

/// A plan that no other beats in both cost and harm.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Sum of costs.
    pub cost: f64,
    /// Sum of harms.
    pub harm: f64,
    /// Index of the choice of each group.
    pub chosen: Vec<usize>,
}

/// Exact solutions at evenly spaced limits, cheapest first; each is on the frontier.
#[must_use]
pub fn frontier(groups: &[Vec<Choice>]) -> Vec<Point> {
    let extreme = |pick: fn(f64, f64) -> f64, start: f64| -> f64 {
        groups
            .iter()
            .map(|g| g.iter().map(|c| c.cost).fold(start, pick))
            .sum()
    };
    let (least, most) = (extreme(f64::min, f64::INFINITY), extreme(f64::max, 0.0));
    let mut points: Vec<Point> = Vec::new();
    for index in 0..=POINTS {
        let limit = least + (most - least) * index as f64 / POINTS as f64;
        let Some(solution) = solve(groups, limit) else {
            continue;
        };
        if points.last().is_none_or(|last| solution.harm < last.harm) {
            let (cost, harm, chosen) = (solution.cost, solution.harm, solution.chosen);
            points.push(Point { cost, harm, chosen });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_rises_and_harm_falls_along_the_frontier() {
        let groups: Vec<Vec<Choice>> = (1..12)
            .map(|i| {
                let n = f64::from(i * 37 % 11 + 1);
                (2..9)
                    .map(|b| Choice {
                        cost: n * f64::from(b),
                        harm: n.sin().abs() * 4f64.powi(-b),
                    })
                    .collect()
            })
            .collect();
        let points = frontier(&groups);
        assert!(points.len() > 20);
        for pair in points.windows(2) {
            assert!(pair[0].cost < pair[1].cost && pair[0].harm > pair[1].harm);
        }
    }
}
