//! Plots as PNG. The font comes with the program: a machine that measures may have none.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::report::Curve;
use crate::table::{Row, number};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

const SIZE: (u32, u32) = (960, 540);
const COLOURS: [RGBColor; 5] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
];
/// Of what the module is compared with.
const FLOOR: RGBColor = COLOURS[0];
/// Of the module.
const OURS: RGBColor = COLOURS[1];
/// Of its neighbours.
const PEERS: RGBColor = COLOURS[2];
const FONT: &str = "sans-serif";

/// What things cost, as bars.
pub fn costs(file: &Path, rows: &[Row]) -> Outcome {
    let mut bars: Vec<(String, f64)> = rows
        .iter()
        .filter(|row| row.unit == "µs" && matches!(row.id, "P1" | "P2" | "P3" | "P4") && !row.name.contains("qm"))
        .filter_map(|row| Some((format!("{}  {}", row.id, row.name.split(", beside").next()?), row.value?.median)))
        .collect();
    bars.dedup();
    let Some(most) = bars.iter().map(|(_, value)| *value).max_by(f64::total_cmp) else { return Ok(()) };
    let height = 70 + 30 * bars.len() as u32;
    draw(file, (SIZE.0, height), |area| {
        area.titled("CPU time of the server, µs for each message or set-up", (FONT, 20))?;
        for (at, (name, value)) in bars.iter().enumerate() {
            let (top, left) = (45 + 30 * at as i32, 520);
            let right = left + (value / most * 360.0) as i32;
            let is = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
            let colour = if is(&["rls_", "reginfo_", "set-up by"]) {
                PEERS
            } else if is(&["handle_notify", "set-up to", "the same"]) {
                OURS
            } else {
                FLOOR
            };
            area.draw(&Text::new(name.clone(), (12, top + 4), (FONT, 14)))?;
            area.draw(&Rectangle::new([(left, top), (right, top + 20)], colour.filled()))?;
            area.draw(&Text::new(number(*value), (right + 6, top + 4), (FONT, 14)))?;
        }
        Ok(())
    })
}

/// The cost of a NOTIFY as subscriptions grow in number.
pub fn growth(file: &Path, curves: &[Curve]) -> Outcome {
    let most = highest(curves) * 1.2;
    let (Some(first), Some(last)) = ends(curves) else { return Ok(()) };
    if first >= last {
        return Ok(());
    }
    draw(file, SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("CPU time of a NOTIFY, µs", (FONT, 20))
            .margin(16)
            .margin_right(48)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((first..last).log_scale(), 0.0..most)?;
        chart
            .configure_mesh()
            .x_desc("subscriptions")
            .x_label_formatter(&|x| format!("{x:.0}"))
            .label_style((FONT, 14))
            .draw()?;
        for (curve, colour) in curves.iter().zip(COLOURS) {
            chart
                .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)))?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().label_font((FONT, 14)).background_style(WHITE).border_style(BLACK).draw()?;
        Ok(())
    })
}

/// Which part of the NOTIFYs had got so far within how long.
pub fn latency(file: &Path, curves: &[Curve]) -> Outcome {
    let (Some(first), Some(last)) = ends(curves) else { return Ok(()) };
    if first >= last {
        return Ok(());
    }
    draw(file, SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .caption("10,000 NOTIFYs a second: percent that had got so far, by µs since they were sent", (FONT, 20))
            .margin(16)
            .margin_right(48)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((first.max(10.0)..last).log_scale(), 0.0..100.0)?;
        chart.configure_mesh().x_desc("µs").x_label_formatter(&|x| format!("{x:.0}")).label_style((FONT, 14)).draw()?;
        for (curve, colour) in curves.iter().zip(COLOURS) {
            chart
                .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)))?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .label_font((FONT, 14))
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        Ok(())
    })
}

fn highest(curves: &[Curve]) -> f64 {
    curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y).fold(0.0, f64::max)
}

fn ends(curves: &[Curve]) -> (Option<f64>, Option<f64>) {
    let all = || curves.iter().flat_map(|curve| &curve.points).map(|(x, _)| *x);
    (all().min_by(f64::total_cmp), all().max_by(f64::total_cmp))
}

fn draw(file: &Path, (width, height): (u32, u32), paint: impl FnOnce(&Area) -> Outcome) -> Outcome {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
    });
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE)?;
        paint(&area)?;
        area.present()?;
    }
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}
