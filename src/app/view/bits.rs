//! The bit table, edited in place.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::chrome::tail;
use super::format::cell;
use super::plot;
use super::{FILL, Hits, columns, rows, scroll, totals as sums};
use crate::app::msg::Target;
use crate::app::state::State;
use crate::app::state::analysis::Sort;
use crate::app::state::bits::Column as Edited;
use crate::app::state::planning::{self, Row};
use crate::app::theme::{Role, Theme};
use crate::engine::hessian::sensitivity::LayerSensitivity;
use crate::engine::hessian::{LayerWidth, Metric};
use crate::engine::plan::{Plan, Totals};
use crate::engine::quant::{Bits, ScaleRule};

/// Cells of a layer's name.
const NAME: usize = 16;
/// Cells of the bits of two plans.
const COMPARED: usize = 9;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Shape,
    Weights,
    Eigenvalue,
    Sensitivity,
    Rank,
    WeightBits,
    ActivationBits,
    Perturbation,
    Omega,
    LossChange,
    Share,
    Tie,
}

/// Columns in the order of the table, with the order in which they are given up when it is narrow.
const COLUMNS: [(Column, usize, u8); 12] = [
    (Column::Shape, 13, 9),
    (Column::Weights, 8, 4),
    (Column::Eigenvalue, 9, 3),
    (Column::Sensitivity, 9, 5),
    (Column::Rank, 5, 6),
    (Column::WeightBits, 5, 0),
    (Column::ActivationBits, 5, 0),
    (Column::Perturbation, 9, 8),
    (Column::Omega, 9, 2),
    (Column::LossChange, 9, 7),
    (Column::Share, 7, 1),
    (Column::Tie, 6, 10),
];

pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    (state, hits): (&State, &mut Hits),
    theme: &Theme,
) {
    let Some(plan) = &state.bits.plan else {
        frame.render_widget(Line::raw("no plan before the inputs are there"), area);
        return;
    };
    let totals = planning::totals(plan, &state.analysis.layers);
    if area.width >= 110 && area.height >= 18 {
        let [left, _, right] = columns(area, [FILL, 2, 38]);
        table(frame, left, (state, plan, &totals, hits), theme);
        sums::side(frame, right, (state, plan, &totals), theme);
    } else if area.height >= 26 {
        let [top, middle, bottom] = rows(area, [FILL, 4, 9]);
        table(frame, top, (state, plan, &totals, hits), theme);
        sums::summary(frame, middle, (state, plan, &totals), theme);
        sums::frontier(frame, bottom, (state, plan, &totals), theme);
    } else if area.height >= 18 && area.width >= 76 {
        let [top, bottom] = rows(area, [FILL, 8]);
        table(frame, top, (state, plan, &totals, hits), theme);
        sums::low(frame, bottom, (state, plan, &totals), theme);
    } else {
        let lines = if area.height >= 10 { 4 } else { 1 };
        let [top, bottom] = rows(area, [FILL, lines]);
        table(frame, top, (state, plan, &totals, hits), theme);
        sums::summary(frame, bottom, (state, plan, &totals), theme);
    }
}

/// The columns that fit; those of the bits are wider where another plan stands beside.
fn fitting(width: u16, (compares, has_pinned_float): (bool, bool)) -> Vec<(Column, usize)> {
    let mut kept = COLUMNS.to_vec();
    if has_pinned_float {
        let weights = kept
            .iter_mut()
            .filter(|(column, ..)| *column == Column::WeightBits);
        weights.for_each(|(_, width, _)| *width += 1);
    }
    if compares {
        let bits = |column: Column| [Column::WeightBits, Column::ActivationBits].contains(&column);
        let bits = kept.iter_mut().filter(|(column, ..)| bits(*column));
        bits.for_each(|(_, width, _)| *width = COMPARED);
    }
    let room = (width as usize).saturating_sub(NAME + 4);
    while kept.iter().map(|(_, width, _)| width).sum::<usize>() > room {
        let worst = kept
            .iter()
            .enumerate()
            .max_by_key(|(_, (_, _, rank))| *rank);
        match worst {
            Some((at, (_, _, rank))) if *rank > 0 => kept.remove(at),
            _ => break,
        };
    }
    kept.into_iter()
        .map(|(column, width, _)| (column, width))
        .collect()
}

fn table(
    frame: &mut Frame,
    area: Rect,
    (state, plan, totals, hits): (&State, &Plan, &Totals, &mut Hits),
    theme: &Theme,
) {
    let [title, list] = rows(area, [1, FILL]);
    let other = state.bits.other.as_ref();
    let reference = other.map_or(state.bits.automatic.as_ref(), |other| Some(&other.plan));
    let pinned = plan.layers.iter().filter(|layer| layer.pinned);
    let pinned_float = pinned.map(|layer| layer.weight_bits).any(Bits::is_float);
    let columns = fitting(area.width, (other.is_some(), pinned_float));
    frame.render_widget(header(&columns, state, theme), title);
    let visible = state.visible_layers();
    let selected = state.bits.selection(state.layer, &visible);
    let ranks = ranks(&state.analysis.layers);
    let cursor = state.cursor(&visible).unwrap_or(0);
    let first = scroll(cursor, visible.len(), list.height as usize);
    let shown = visible.iter().skip(first).take(list.height as usize);
    reach(hits, list, (&columns, &visible[first..]));
    let lines: Vec<Line> = shown
        .map(|index| {
            let cells = Cells {
                state,
                row: &plan.layers[*index],
                reference: reference.map(|plan| &plan.layers[*index]),
                compares: other.is_some(),
                layer: &state.analysis.layers[*index],
                rank: ranks[*index],
                bytes: totals.weight_bytes(),
                scale: plan.scale,
                cursor: *index == state.layer,
                marked: state.bits.has_selection() && selected.contains(index),
            };
            cells.line(&columns, theme)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), list);
    if let Some(at) = columns
        .iter()
        .position(|(column, _)| *column == edited(state))
    {
        // The hardware cursor stands on the bits that are edited, for screen readers.
        let before: usize = columns[..=at].iter().map(|(_, width)| width).sum();
        let x = list.x + (NAME + 3 + before).saturating_sub(1) as u16;
        let y = list.y + (cursor - first) as u16;
        if x < area.right() && y < area.bottom() && state.overlays.is_empty() {
            frame.set_cursor_position((x, y));
        }
    }
}

/// Rows, and on top of them the cells of the bits.
fn reach(hits: &mut Hits, list: Rect, (columns, shown): (&[(Column, usize)], &[usize])) {
    let edited = [
        (Column::WeightBits, Edited::Weights),
        (Column::ActivationBits, Edited::Activations),
    ];
    for (y, layer) in (list.y..list.bottom()).zip(shown) {
        let row = Rect {
            y,
            height: 1,
            ..list
        };
        hits.add(row, Target::Layer(*layer));
        for (column, edited) in edited {
            let Some(at) = columns.iter().position(|(other, _)| *other == column) else {
                continue;
            };
            let before: usize = columns[..at].iter().map(|(_, width)| width).sum();
            let cell = Rect {
                x: list.x + (NAME + 3 + before) as u16,
                width: columns[at].1 as u16,
                ..row
            };
            hits.add(cell.intersection(list), Target::Bits(*layer, edited));
        }
    }
}

const fn edited(state: &State) -> Column {
    match state.bits.column {
        Edited::Weights => Column::WeightBits,
        Edited::Activations => Column::ActivationBits,
    }
}

/// 1 is the most sensitive; layers as sensitive share a rank.
fn ranks(layers: &[LayerSensitivity]) -> Vec<Option<usize>> {
    let size = |layer: &LayerSensitivity| {
        let size = layer.sensitivity.map(f64::abs);
        size.filter(|size| !size.is_nan())
    };
    let mut sizes: Vec<f64> = layers.iter().filter_map(size).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let rank = |own: f64| 1 + sizes.partition_point(|other| *other > own);
    layers.iter().map(|layer| size(layer).map(rank)).collect()
}

/// Whether the rows are in the order of a column.
const fn sorts(column: Column, state: &State) -> bool {
    matches!(
        (column, state.bits.sort),
        (Column::Eigenvalue, Sort::Eigenvalue)
            | (Column::Sensitivity, Sort::Sensitivity)
            | (Column::Omega, Sort::Omega)
    )
}

fn header<'a>(columns: &[(Column, usize)], state: &State, theme: &Theme) -> Line<'a> {
    let mut spans = vec![Span::styled(
        format!("   {:<NAME$}", "layer"),
        theme.style(Role::Title),
    )];
    for (column, width) in columns {
        let name = match column {
            Column::Shape => "shape",
            Column::Weights => "weights",
            Column::Eigenvalue => theme.symbols.lambda,
            Column::Sensitivity => "S",
            Column::Rank => "rank",
            Column::WeightBits => "W",
            Column::ActivationBits => "A",
            Column::Perturbation => "perturb.",
            Column::Omega => theme.symbols.omega,
            Column::LossChange => "loss chg",
            Column::Share => "size %",
            Column::Tie => "tie",
        };
        let role = if *column == edited(state) {
            Role::Edited
        } else {
            Role::Title
        };
        let sign = if sorts(*column, state) {
            theme.symbols.sorted
        } else {
            ""
        };
        let gap = width.saturating_sub(name.width() + sign.width());
        spans.push(Span::raw(format!("{}{sign}", " ".repeat(gap))));
        spans.push(Span::styled(name, theme.style(role)));
    }
    Line::from(spans)
}

/// One row of the table.
struct Cells<'a> {
    state: &'a State,
    row: &'a Row,
    /// The row of the plan compared with, else of the automatic one.
    reference: Option<&'a Row>,
    /// Whether another plan stands beside.
    compares: bool,
    layer: &'a LayerSensitivity,
    rank: Option<usize>,
    bytes: f64,
    scale: ScaleRule,
    cursor: bool,
    marked: bool,
}

impl Cells<'_> {
    fn line<'b>(&self, columns: &[(Column, usize)], theme: &Theme) -> Line<'b> {
        let base = match (self.cursor, self.marked) {
            (true, _) => theme.style(Role::Selected),
            (false, true) => theme.style(Role::Marked),
            (false, false) => theme.style(Role::Text),
        };
        let pointer = if self.cursor {
            theme.symbols.cursor
        } else {
            " "
        };
        let mark = if self.marked {
            theme.symbols.marked
        } else {
            " "
        };
        let name = tail(&self.layer.layer, NAME, theme);
        let sign = if self.compares && self.differs() {
            theme.symbols.differs
        } else {
            " "
        };
        let head = format!("{pointer}{mark}{sign}{name:<NAME$}");
        let mut spans = vec![Span::styled(head, base)];
        for (column, width) in columns {
            let text = self.text(*column, theme);
            let gap = width.saturating_sub(text.width());
            spans.push(Span::styled(" ".repeat(gap), base));
            spans.push(Span::styled(text, self.style(*column, base, theme)));
        }
        Line::from(spans)
    }

    /// Whether the bits are others than in the plan that they are compared with.
    fn differs(&self) -> bool {
        self.reference.is_some_and(|other| {
            other.weight_bits != self.row.weight_bits
                || other.activation_bits != self.row.activation_bits
        })
    }

    /// The bits, and those of the plan compared with where they are others.
    fn bits(&self, of: impl Fn(&Row) -> Bits, theme: &Theme) -> String {
        let (own, other) = (of(self.row), self.reference.map(of));
        match other.filter(|other| self.compares && *other != own) {
            Some(other) => format!("{}{}{}", show(own), theme.symbols.arrow, show(other)),
            None => show(own),
        }
    }

    /// Bits stand out when pinned or unlike the plan compared with, else the automatic one; the
    /// edited cell of the row most.
    fn style(&self, column: Column, base: Style, theme: &Theme) -> Style {
        let is_bits = matches!(column, Column::WeightBits | Column::ActivationBits);
        let changed = self.reference.is_some_and(|other| match column {
            Column::WeightBits => other.weight_bits != self.row.weight_bits,
            _ => other.activation_bits != self.row.activation_bits,
        });
        if !is_bits || self.cursor {
            base
        } else if self.row.pinned && !(self.compares && changed) {
            base.patch(theme.style(Role::Pinned))
        } else if changed {
            base.patch(theme.style(Role::Changed))
        } else {
            base
        }
    }

    fn harm(&self) -> Option<f64> {
        planning::harm(self.layer, self.row, (self.state.bits.metric, self.scale))
    }

    /// The loss change at the bits of the plan; a sign while it is still to be measured.
    fn loss_change(&self, theme: &Theme) -> String {
        let bits = self.row.weight_bits;
        let known = self.layer.loss_change.get(&bits.get()).copied();
        let wanted = LayerWidth {
            layer: self.layer.layer.clone(),
            bits,
        };
        match known {
            None if bits.is_float() => cell(Some(0.0)),
            None if self.state.awaited().contains(&wanted) => theme.symbols.ellipsis.to_owned(),
            known => cell(known),
        }
    }

    fn text(&self, column: Column, theme: &Theme) -> String {
        let (row, layer) = (self.row, self.layer);
        let bits = |bits: Bits| bits.get();
        match column {
            Column::Shape => {
                let shape: Vec<String> = layer.shape.iter().map(ToString::to_string).collect();
                shape.join("x")
            }
            Column::Weights => layer.parameters.to_string(),
            Column::Eigenvalue => cell(layer.eigenvalue),
            Column::Sensitivity => cell(layer.sensitivity),
            Column::Rank => self
                .rank
                .map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
            Column::WeightBits => {
                let pin = if row.pinned { theme.symbols.pin } else { "" };
                format!("{pin}{}", self.bits(|row| row.weight_bits, theme))
            }
            Column::ActivationBits if layer.reads_image => "img".to_owned(),
            Column::ActivationBits => self.bits(|row| row.activation_bits, theme),
            Column::Perturbation => cell(layer.perturbation_at(row.weight_bits, self.scale)),
            Column::Omega if self.state.bits.metric == Metric::LossChange => {
                self.loss_change(theme)
            }
            Column::Omega => cell(self.harm()),
            Column::LossChange => self.loss_change(theme),
            Column::Share => {
                let own = f64::from(bits(row.weight_bits)) * layer.parameters as f64 / 8.0;
                format!("{:.1}", 100.0 * plot::unit(own / self.bytes))
            }
            Column::Tie => row.tie.clone().unwrap_or_default(),
        }
    }
}

fn show(bits: Bits) -> String {
    if bits.is_float() {
        "fp32".to_owned()
    } else {
        bits.to_string()
    }
}
