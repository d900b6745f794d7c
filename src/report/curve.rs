//! Points of a curve, made few enough to be drawn: a run may have a hundred thousand steps.

/// Buckets along a curve, at most; each leaves two points of the raw curve and one of the smooth.
pub const BUCKETS: usize = 160;
/// The smooth curve is the mean over this share of all points.
const SMOOTHED_SHARE: usize = 40;
/// Numbers beyond this size are not drawn: their differences would not be finite.
const LARGEST: f64 = 1e100;
/// A range that is smaller is none.
const SMALLEST: f64 = 1e-290;
/// Share of a number that is left free around it when it is the only one.
const ROOM: f64 = 0.05;

/// A point of a curve.
pub type Point = (f64, f64);

/// Whether a number can be drawn.
#[must_use]
pub fn is_drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// The points that can be drawn.
#[must_use]
pub fn drawable(points: impl IntoIterator<Item = Point>) -> Vec<Point> {
    let points = points.into_iter();
    points
        .filter(|&(x, y)| is_drawable(x) && is_drawable(y))
        .collect()
}

/// The smallest and the largest of the numbers that can be drawn, a little apart when they are the
/// same; `None` when there is none.
#[must_use]
pub fn bounds(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    let values = values.into_iter().filter(|value| is_drawable(*value));
    let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
        [low.min(value), high.max(value)]
    });
    if low > high {
        return None;
    }
    let size = low.abs().max(high.abs());
    if high - low > (1e-9 * size).max(SMALLEST) {
        return Some([low, high]);
    }
    let room = if size > SMALLEST / ROOM {
        ROOM * size
    } else {
        0.5
    };
    Some([low - room, high + room])
}

/// The lowest and the highest point of every bucket, in their order: every peak stays.
#[must_use]
pub fn extremes(points: &[Point]) -> Vec<Point> {
    if points.len() <= 2 * BUCKETS {
        return points.to_vec();
    }
    let bucket = |points: &[Point]| -> Vec<Point> {
        let by_height = |a: &usize, b: &usize| points[*a].1.total_cmp(&points[*b].1);
        let low = (0..points.len()).min_by(by_height).unwrap_or(0);
        let high = (0..points.len()).max_by(by_height).unwrap_or(0);
        let mut kept = vec![points[low.min(high)]];
        if low != high {
            kept.push(points[low.max(high)]);
        }
        kept
    };
    points.chunks(width(points)).flat_map(bucket).collect()
}

/// The mean over the neighbourhood of the middle of every bucket.
#[must_use]
pub fn smooth(points: &[Point]) -> Vec<Point> {
    let reach = (points.len() / SMOOTHED_SHARE / 2).max(1);
    let mut sums = vec![0.0];
    for point in points {
        sums.push(sums[sums.len() - 1] + point.1);
    }
    let mean = |at: usize| {
        let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(points.len()));
        (sums[to] - sums[from]) / (to - from) as f64
    };
    let width = width(points);
    let middles = (0..points.len()).skip(width / 2).step_by(width);
    middles.map(|at| (points[at].0, mean(at))).collect()
}

/// One point of each bucket: for curves without noise.
#[must_use]
pub fn thinned(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = points.iter().copied().step_by(width(points)).collect();
    if kept.last() != points.last() {
        kept.extend(points.last());
    }
    kept
}

/// Points of a bucket.
const fn width(points: &[Point]) -> usize {
    let width = points.len().div_ceil(BUCKETS);
    if width == 0 { 1 } else { width }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bounds_are_finite_ordered_and_hold_what_is_drawn(values in prop::collection::vec(any::<f64>(), 0..20)) {
            let drawn = values.iter().copied().filter(|value| is_drawable(*value)).count();
            match bounds(values.iter().copied()) {
                None => prop_assert_eq!(drawn, 0),
                Some([low, high]) => {
                    prop_assert!(low.is_finite() && high.is_finite() && low < high);
                    prop_assert!((high - low).is_finite());
                    let inside = values.iter().filter(|value| is_drawable(**value));
                    prop_assert!(inside.into_iter().all(|value| (low..=high).contains(value)));
                }
            }
        }

        #[test]
        fn curves_stay_small_and_in_order(heights in prop::collection::vec(-10.0..10.0_f64, 0..5000)) {
            let points: Vec<Point> = heights.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
            for few in [extremes(&points), smooth(&points), thinned(&points)] {
                prop_assert!(few.len() <= 2 * BUCKETS + 1);
                prop_assert!(few.is_sorted_by(|a, b| a.0 < b.0));
                prop_assert!(few.iter().all(|point| point.1.abs() <= 10.0 + 1e-9));
                prop_assert_eq!(few.is_empty(), points.is_empty());
            }
        }
    }

    #[test]
    fn numbers_that_are_none_do_not_count() {
        assert_eq!(bounds([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]), None);
        assert_eq!(
            bounds([f64::NAN, 1.0, 3.0, f64::INFINITY]),
            Some([1.0, 3.0])
        );
        assert_eq!(bounds([0.0]), Some([-0.5, 0.5]));
        assert_eq!(
            drawable([(0.0, f64::NAN), (1.0, 2.0), (f64::MAX, 0.0)]),
            [(1.0, 2.0)]
        );
    }

    #[test]
    fn a_peak_in_a_long_run_stays() {
        let mut points: Vec<Point> = (0..100_000).map(|x| (f64::from(x), 1.0)).collect();
        points[54_321].1 = 7.0;
        let few = extremes(&points);
        assert!(few.len() <= 2 * BUCKETS && few.contains(&(54_321.0, 7.0)));
        assert!(smooth(&points).iter().all(|point| point.1 < 1.01));
    }
}
