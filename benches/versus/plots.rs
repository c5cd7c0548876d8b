//! The plots of the page, as SVG.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::program::Program;
use super::results::Results;
use super::spelling::number;
use super::stats::real;

/// One picture.
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    x: &'static str,
    y: &'static str,
    scale: Scale,
    curves: &'static [Curve],
}

/// Medians of one figure of one program; the second of two figures is dashed.
struct Curve {
    figure: &'static str,
    program: Program,
    label: &'static str,
    is_dashed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// From zero.
    Linear,
    Logarithmic,
}

const fn curve(figure: &'static str, program: Program, label: &'static str) -> Curve {
    Curve {
        figure,
        program,
        label,
        is_dashed: false,
    }
}

const fn dashed(figure: &'static str, program: Program, label: &'static str) -> Curve {
    Curve {
        is_dashed: true,
        ..curve(figure, program, label)
    }
}

use Program::{Pushgateway, PushgatewayChecked, Tidegate};

pub(crate) const PLOTS: &[Plot] = &[
    Plot {
        file: "push-rate.svg",
        title: "Pushes a second, 64 connections",
        x: "groups stored",
        y: "pushes a second",
        scale: Scale::Linear,
        curves: &[
            curve("push rate", Tidegate, "tidegate"),
            curve("push rate", Pushgateway, "Pushgateway, check off"),
            curve("push rate", PushgatewayChecked, "Pushgateway, check on"),
        ],
    },
    Plot {
        file: "push-latency.svg",
        title: "Time of a push, 64 connections",
        x: "groups stored",
        y: "milliseconds",
        scale: Scale::Logarithmic,
        curves: &[
            curve("push p99", Tidegate, "tidegate, p99"),
            dashed("push p50", Tidegate, "p50"),
            curve("push p99", Pushgateway, "Pushgateway, check off, p99"),
            dashed("push p50", Pushgateway, "p50"),
        ],
    },
    Plot {
        file: "push-cpu.svg",
        title: "Processor time of a push",
        x: "groups stored",
        y: "microseconds",
        scale: Scale::Linear,
        curves: &[
            curve("push cpu", Tidegate, "tidegate"),
            curve("push cpu", Pushgateway, "Pushgateway, check off"),
        ],
    },
    Plot {
        file: "scrape-time.svg",
        title: "Time of a scrape",
        x: "series stored",
        y: "milliseconds",
        scale: Scale::Logarithmic,
        curves: &[
            curve("scrape text", Tidegate, "tidegate"),
            dashed("scrape text gzip, unchanged", Tidegate, "gzip, unchanged"),
            curve("scrape text", Pushgateway, "Pushgateway"),
            dashed(
                "scrape text gzip, unchanged",
                Pushgateway,
                "gzip, unchanged",
            ),
        ],
    },
    Plot {
        file: "memory.svg",
        title: "Resident memory after load and scrapes",
        x: "series stored",
        y: "MB",
        scale: Scale::Linear,
        curves: &[
            curve("rss", Tidegate, "tidegate"),
            curve("rss", Pushgateway, "Pushgateway"),
        ],
    },
];

const SIZE: (u32, u32) = (720, 400);
/// Title and legend.
const TOP: u32 = 64;
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Points = Vec<(f64, f64)>;

/// Draws all plots of which there is something to draw.
pub(crate) fn write(folder: &Path, results: &Results) -> Result<()> {
    for plot in PLOTS {
        let points = plot
            .curves
            .iter()
            .map(|curve| curve.points(results, plot.scale));
        let curves: Vec<_> = plot.curves.iter().zip(points).collect();
        if curves.iter().any(|(_, points)| !points.is_empty()) {
            plot.draw(&folder.join(plot.file), &curves)
                .map_err(|error| anyhow!("cannot draw {}: {error}", plot.file))?;
        }
    }
    Ok(())
}

impl Curve {
    fn points(&self, results: &Results, scale: Scale) -> Points {
        let points = results.curve(self.figure, self.program).into_iter();
        let placed = points.map(|(at, value)| (real(at), scale.place(value)));
        placed.filter(|(_, y)| y.is_finite()).collect()
    }

    fn style(&self) -> ShapeStyle {
        let color = match self.program {
            Tidegate => RGBColor(0, 90, 181),
            Pushgateway => RGBColor(213, 94, 0),
            PushgatewayChecked => RGBColor(120, 120, 120),
        };
        color.stroke_width(2)
    }
}

impl Scale {
    /// Where a value is on the axis.
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.log10(),
        }
    }

    /// The value at a place.
    fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Logarithmic => 10f64.powf(place),
        }
    }

    /// The axis for values at these places: whole decades if it is logarithmic.
    fn axis(self, places: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let smallest = places.clone().reduce(f64::min).unwrap_or_default();
        let largest = places.reduce(f64::max).unwrap_or(1.0);
        match self {
            Self::Linear => (0.0, if largest > 0.0 { largest * 1.1 } else { 1.0 }),
            Self::Logarithmic => (smallest.floor(), largest.ceil().max(smallest.floor() + 1.0)),
        }
    }
}

impl Plot {
    fn draw(
        &self,
        path: &Path,
        curves: &[(&Curve, Points)],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, below) = root.split_vertically(TOP);
        self.draw_legend(&top, curves)?;
        let all = curves.iter().flat_map(|(_, points)| points);
        let (bottom, height) = self.scale.axis(all.clone().map(|(_, y)| *y));
        let (_, width) = Scale::Linear.axis(all.map(|(x, _)| *x));
        let mut chart = ChartBuilder::on(&below)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..width, bottom..height)?;
        let font = ("sans-serif", 14).into_font().color(&INK);
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(font.clone())
            .axis_desc_style(font)
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| number(self.scale.value(*y)))
            .x_desc(self.x)
            .y_desc(self.y)
            .draw()?;
        for (curve, points) in curves {
            draw_curve(&mut chart, curve, points)?;
        }
        root.present()?;
        Ok(())
    }

    /// Title and legend above the chart, where they hide nothing.
    fn draw_legend(
        &self,
        area: &Area<'_>,
        curves: &[(&Curve, Points)],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let title = ("sans-serif", 18).into_font().color(&INK);
        area.draw(&Text::new(self.title, (84, 12), title))?;
        let font = ("sans-serif", 14).into_font().color(&INK);
        let mut x = 84;
        for (curve, _) in curves.iter().filter(|(_, points)| !points.is_empty()) {
            let line = [(x, 48), (x + 30, 48)];
            if curve.is_dashed {
                area.draw(&DashedPathElement::new(line, 6, 4, curve.style()))?;
            } else {
                area.draw(&PathElement::new(line, curve.style()))?;
            }
            area.draw(&Text::new(curve.label, (x + 36, 41), font.clone()))?;
            x += 60 + 7 * i32::try_from(curve.label.len())?;
        }
        Ok(())
    }
}

fn draw_curve(
    chart: &mut Chart<'_, '_>,
    curve: &Curve,
    points: &Points,
) -> Result<(), Box<dyn std::error::Error>> {
    let style = curve.style();
    if curve.is_dashed {
        chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, style))?;
    } else {
        chart.draw_series(LineSeries::new(points.clone(), style))?;
    }
    chart.draw_series(
        points
            .iter()
            .map(|point| Circle::new(*point, 3, style.filled())),
    )?;
    Ok(())
}
