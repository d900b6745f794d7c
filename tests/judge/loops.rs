//! Operations in float64, from their definitions.

/// A window over a map of one image.
pub struct Pool {
    /// Channels, rows, columns.
    pub map: [usize; 3],
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
    /// Rows and columns of the answer.
    pub out: [usize; 2],
}

impl Pool {
    /// What a window holds: numbers of the map, and how many places of the padding.
    fn held(&self, image: &[f64], [channel, row, column]: [usize; 3]) -> (Vec<f64>, usize) {
        let [_, rows, columns] = self.map;
        let (mut inside, mut padding) = (Vec::new(), 0);
        for h in 0..self.kernel[0] {
            for w in 0..self.kernel[1] {
                let y = row * self.strides[0] + h * self.dilations[0];
                let z = column * self.strides[1] + w * self.dilations[1];
                let (in_map, in_padding) = (
                    (self.pads[0]..self.pads[0] + rows).contains(&y)
                        && (self.pads[1]..self.pads[1] + columns).contains(&z),
                    y < self.pads[0] + rows + self.pads[2]
                        && z < self.pads[1] + columns + self.pads[3],
                );
                if in_map {
                    let place = (channel * rows + y - self.pads[0]) * columns + z - self.pads[1];
                    inside.push(image[place]);
                } else if in_padding {
                    padding += 1;
                }
            }
        }
        (inside, padding)
    }

    fn each(&self, image: &[f64], of: impl Fn(Vec<f64>, usize) -> f64) -> Vec<f64> {
        let mut answer = Vec::new();
        for channel in 0..self.map[0] {
            for row in 0..self.out[0] {
                for column in 0..self.out[1] {
                    let (inside, padding) = self.held(image, [channel, row, column]);
                    answer.push(of(inside, padding));
                }
            }
        }
        answer
    }

    /// The largest of every window.
    pub fn largest(&self, image: &[f64]) -> Vec<f64> {
        self.each(image, |inside, _| {
            inside.into_iter().fold(f64::NEG_INFINITY, f64::max)
        })
    }

    /// The mean of every window, with or without the zeros around the map.
    pub fn mean(&self, image: &[f64], counted: bool) -> Vec<f64> {
        self.each(image, |inside, padding| {
            let places = inside.len() + if counted { padding } else { 0 };
            inside.iter().sum::<f64>() / places as f64
        })
    }
}
