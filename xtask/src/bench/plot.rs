//! How is a curve drawn as SVG? Both axes logarithmic, one line for each series, nothing else.

use std::fmt::Write as _;

/// Points that belong together, sorted by x.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What they are of.
    pub name: String,
    /// x and y, both above 0.
    pub points: Vec<(f64, f64)>,
}

/// What is drawn.
pub struct Plot<'a> {
    /// Above it.
    pub title: &'a str,
    /// Below it.
    pub x: &'a str,
    /// Beside it.
    pub y: &'a str,
    /// The lines.
    pub series: &'a [Series],
}

impl Plot<'_> {
    /// The picture; none without points.
    pub fn svg(&self) -> Option<String> {
        let x = Axis::of(self.series.iter().flat_map(|series| &series.points).map(|point| point.0), LEFT, RIGHT)?;
        let y = Axis::of(self.series.iter().flat_map(|series| &series.points).map(|point| point.1), BOTTOM, TOP)?;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
            <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
            <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
            escaped(self.title)
        );
        // Writing to a String cannot fail.
        for (value, at) in x.ticks() {
            let _ = writeln!(svg, "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{BOTTOM}\" stroke=\"#ddd\"/>");
            let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", BOTTOM + 18.0, short(value));
        }
        for (value, at) in y.ticks() {
            let _ = writeln!(svg, "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>");
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", LEFT - 6.0, at + 4.0, short(value));
        }
        let (middle_x, middle_y) = ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0);
        let _ = writeln!(svg, "<text x=\"{middle_x}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", HEIGHT - 10.0, escaped(self.x));
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{middle_y}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {middle_y})\">{}</text>",
            escaped(self.y)
        );
        for (series, color) in self.series.iter().zip(COLORS.iter().cycle()) {
            let points: Vec<(f64, f64)> = series.points.iter().map(|point| (x.at(point.0), y.at(point.1))).collect();
            let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>", line.join(" "));
            for (x, y) in &points {
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
            }
        }
        for (at, (series, color)) in self.series.iter().zip(COLORS.iter().cycle()).enumerate() {
            let y = TOP + 16.0 + 18.0 * at as f64;
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{color}\">{}</text>", LEFT + 10.0, escaped(&series.name));
        }
        svg += "</svg>\n";
        Some(svg)
    }
}

/// A logarithmic axis over whole powers of ten.
struct Axis {
    first: f64,
    last: f64,
    from: f64,
    until: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, from: f64, until: f64) -> Option<Axis> {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let (min, max) = logs.iter().fold((f64::MAX, f64::MIN), |(min, max), log| (min.min(*log), max.max(*log)));
        (!logs.is_empty()).then(|| Axis { first: min.floor(), last: max.ceil().max(min.floor() + 1.0), from, until })
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.first) / (self.last - self.first);
        self.from + (self.until - self.from) * share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<(f64, f64)> {
        (self.first as i32..=self.last as i32).map(|power| 10f64.powi(power)).map(|value| (value, self.at(value))).collect()
    }
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1e6).round() / 1e6),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 360.0;
const COLORS: [&str; 4] = ["#c2410c", "#1d4ed8", "#15803d", "#7e22ce"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_what_is_there() {
        let series = [Series { name: "a<b".to_owned(), points: vec![(1.0, 10.0), (100.0, 1000.0)] }];
        let plot = Plot { title: "t", x: "x", y: "y", series: &series };
        let svg = plot.svg().expect("points");
        assert!(svg.contains("points=\"70.0,360.0 700.0,40.0\""), "{svg}");
        assert!(svg.contains("a&lt;b") && svg.ends_with("</svg>\n"));
        assert_eq!(Plot { series: &[], ..plot }.svg(), None);
        assert_eq!([0.1, 1.0, 1e4, 2e6].map(short), ["0.1", "1", "10k", "2M"]);
    }
}
