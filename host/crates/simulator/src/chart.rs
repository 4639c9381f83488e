//! Miss-ratio curves, drawn.

use std::error::Error;

use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;

/// Width of a chart, and its height, in pixels.
pub const SIZE: (u32, u32) = (900, 480);
/// Colours that stay apart for those who see few ("Color Universal Design", Okabe and Ito, 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
    RGBColor(0, 0, 0),
];

/// The miss ratio of one policy by the size of the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What stands in the legend.
    pub name: String,
    /// Capacity and miss ratio.
    pub points: Vec<(u64, f64)>,
}

/// Draws curves into one SVG image, capacities in powers of ten.
///
/// # Errors
/// When there is no point to draw.
pub fn svg(title: &str, curves: &[Curve]) -> Result<String, String> {
    let capacities = || curves.iter().flat_map(|curve| &curve.points);
    let lowest = capacities().map(|(capacity, _)| *capacity).min();
    let highest = capacities().map(|(capacity, _)| *capacity).max();
    let (Some(lowest), Some(highest)) = (lowest, highest) else {
        return Err("there is nothing to draw".to_owned());
    };
    // One size alone needs some width, too.
    let (from, to) = (lowest.max(1) as f64 * 0.8, highest.max(1) as f64 * 1.25);
    let mut image = String::new();
    draw(&mut image, title, curves, from, to)
        .map_err(|error| format!("the chart of {title} cannot be drawn: {error}"))?;
    Ok(image)
}

fn draw(
    image: &mut String,
    title: &str,
    curves: &[Curve],
    from: f64,
    to: f64,
) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::with_string(image, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d((from..to).log_scale(), 0.0..1.0)?;
    mesh(&mut chart)?;
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        // Beyond eight the same colours come again, thinner.
        let width = if number < COLOURS.len() { 2 } else { 1 };
        let points = curve.points.iter().map(|&(x, y)| (x.max(1) as f64, y));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(width)).point_size(3))?
            .label(&curve.name)
            .legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width))
            });
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

fn mesh<X>(
    chart: &mut ChartContext<
        '_,
        SVGBackend<'_>,
        Cartesian2d<X, plotters::coord::types::RangedCoordf64>,
    >,
) -> Result<(), Box<dyn Error>>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc("size of the cache, bytes (objects, where a trace knows no sizes)")
        .y_desc("miss ratio")
        .x_label_formatter(&|x| short(*x))
        .light_line_style(BLACK.mix(0.05))
        .draw()?;
    Ok(())
}

/// A number in thousands, millions and so on.
fn short(number: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => format!("{}{unit}", (number / size * 10.0).round() / 10.0),
        None => format!("{}", number.round()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_there_and_the_names_cannot_break_out() {
        let curve = |name: &str, points: &[(u64, f64)]| Curve {
            name: name.to_owned(),
            points: points.to_vec(),
        };
        let curves = [
            curve("lru", &[(10, 0.9), (1000, 0.5)]),
            curve("<b>&", &[(10, 0.8)]),
        ];
        let image = svg("a <trace>", &curves).unwrap();
        assert!(image.starts_with("<svg") && image.trim_end().ends_with("</svg>"));
        assert!(image.contains("lru") && image.contains("&lt;b&gt;&amp;"));
        assert!(image.contains("a &lt;trace&gt;") && image.matches("<polyline").count() >= 3);
        assert!(svg("none", &[]).is_err());
        assert_eq!(
            [short(999.0), short(25_836.0), short(2.5e9)],
            ["999", "25.8k", "2.5G"]
        );
    }
}
