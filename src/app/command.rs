//! The vocabulary: every command with its name, what it does, and where it belongs. The keymap, the
//! footer, the help, the palette and the tests read this one table.

use std::fmt;
use std::str::FromStr;

use crate::engine::complaint::closest;

/// Where a command belongs; also the tables of `keymap.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Works on every screen.
    Global,
    /// Moving the selection.
    Movement,
    /// The model screen.
    Model,
    /// The sensitivity screen.
    Sensitivity,
    /// The bit table.
    Bits,
    /// Fine-tuning.
    Tune,
    /// Export.
    Export,
}

impl Group {
    /// Every group, in the order of the help.
    pub const ALL: [Self; 7] = [
        Self::Global,
        Self::Movement,
        Self::Model,
        Self::Sensitivity,
        Self::Bits,
        Self::Tune,
        Self::Export,
    ];

    /// The name of the table in `keymap.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Movement => "movement",
            Self::Model => "model",
            Self::Sensitivity => "sensitivity",
            Self::Bits => "bits",
            Self::Tune => "fine-tune",
            Self::Export => "export",
        }
    }
}

macro_rules! commands {
    ($($variant:ident $name:literal $group:ident $short:literal $doc:literal)*) => {
        /// Something the user can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Command {
            $(#[doc = $doc] $variant,)*
        }

        impl Command {
            /// Every command, in the order of the help.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in `keymap.toml` and in the palette.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One or two words for the footer.
            #[must_use]
            pub const fn short(self) -> &'static str {
                match self { $(Self::$variant => $short,)* }
            }

            /// What it does, in a few words.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }

            /// Where it belongs.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)* }
            }
        }
    };
}

commands! {
    Proceed "proceed" Global "next step" "Do what the screen says comes next"
    Help "help" Global "help" "Show every key and what it does"
    Palette "palette" Global "commands" "Find a command by its name"
    Filter "filter" Global "filter" "Show only layers whose name contains a text or matches a pattern"
    Pause "pause" Global "pause" "Pause or resume the running job"
    Stop "stop" Global "stop" "Stop the running job and keep what is finished"
    Undo "undo" Global "undo" "Undo the last change of the plan"
    Redo "redo" Global "redo" "Redo the change that was undone"
    ShowLog "log" Global "log" "Show what happened so far"
    Back "back" Global "back" "Close, or clear the filter and the selection"
    NextScreen "next-screen" Global "next screen" "Go to the next screen"
    PreviousScreen "previous-screen" Global "previous screen" "Go to the previous screen"
    GoModel "model" Global "model" "Go to the model screen"
    GoSensitivity "sensitivity" Global "sensitivity" "Go to the sensitivity screen"
    GoBits "bits" Global "bits" "Go to the bit table"
    GoTune "fine-tune" Global "fine-tune" "Go to the fine-tuning screen"
    GoExport "export-screen" Global "export" "Go to the export screen"
    Themes "themes" Global "colours" "Choose the colours; they are shown while you choose"
    NextTheme "next-theme" Global "next colours" "Change the colours to the next theme"
    Copy "copy" Global "copy" "Copy the row at the cursor to the clipboard, and its bits for others"
    CopyPlan "copy-plan" Global "copy plan" "Copy the plan to the clipboard, as a plan file"
    Mouse "mouse" Global "mouse" "Leave the mouse to the terminal, or take it back"
    Freeze "freeze" Global "freeze" "Hold what Sensitivity and Fine-tune show while the work goes on, or let it move again"
    Projects "projects" Global "projects" "Go to another project; work that a worker does goes on"
    OpenNetwork "open" Global "open" "Open another network: pick its file, the images and what is done to them"
    Redraw "redraw" Global "redraw" "Draw the whole screen again"
    Suspend "suspend" Global "suspend" "Go back to the shell; `fg` returns"
    Quit "quit" Global "quit" "Leave; asks while work is running"

    Down "down" Movement "down" "Go to the next row"
    Up "up" Movement "up" "Go to the previous row"
    PageDown "page-down" Movement "page down" "Go ten rows down"
    PageUp "page-up" Movement "page up" "Go ten rows up"
    First "first" Movement "first" "Go to the first row"
    Last "last" Movement "last" "Go to the last row"

    Analyze "analyze" Model "analyse" "Start the analysis, or go on with a stopped one"
    AnalyzeAnew "analyze-anew" Model "anew" "Forget the measurements and start the analysis again"
    Check "check" Model "check again" "Load the inputs and test the float network again"
    Samples "samples" Model "samples" "Change the number of images of the analysis"
    Tolerance "tolerance" Model "tolerance" "Change the residual that counts as converged"
    Metrics "metrics" Model "metrics" "Change what the analysis measures"

    Sort "sort" Sensitivity "sort" "Sort by network order, eigenvalue, sensitivity or omega"
    NextView "next-view" Sensitivity "next view" "Look at the layer in the next view: overview, spectrum, landscape, weights, convergence"
    PreviousView "previous-view" Sensitivity "previous view" "Look at the layer in the view before"
    Overview "overview" Sensitivity "overview" "Show the numbers of the selected layer"
    Spectrum "spectrum" Sensitivity "spectrum" "Show all eigenvalues of the selected layer"
    Landscape "landscape" Sensitivity "landscape" "Show the loss along the top eigenvector of the selected layer"
    Weights "weights" Sensitivity "weights" "Show the weights of the selected layer and the grid of the plan's bits"
    Convergence "convergence" Sensitivity "convergence" "Show how the eigenvalue of the selected layer converged"
    Compare "compare" Sensitivity "compare" "Compare the rankings by eigenvalue, trace and loss change, or go back to the bars"
    Compute "compute" Sensitivity "compute" "Compute what the view shows of the selected layer"
    NarrowList "narrow-list" Sensitivity "narrower" "Give the closer look more room, and the list less"
    WidenList "widen-list" Sensitivity "wider" "Give the list more room, and the closer look less"
    Remeasure "remeasure" Sensitivity "measure again" "Measure the selected layer again at a tenth of its tolerance"
    RemeasureShown "remeasure-shown" Sensitivity "all again" "Measure the layers that the filter shows again at a tenth of their tolerance"

    MoreBits "more-bits" Bits "more" "One step more bits"
    FewerBits "fewer-bits" Bits "fewer" "One step fewer bits"
    Bits2 "bits-2" Bits "2 bits" "Set 2 bits"
    Bits3 "bits-3" Bits "3 bits" "Set 3 bits"
    Bits4 "bits-4" Bits "4 bits" "Set 4 bits"
    Bits5 "bits-5" Bits "5 bits" "Set 5 bits"
    Bits6 "bits-6" Bits "6 bits" "Set 6 bits"
    Bits7 "bits-7" Bits "7 bits" "Set 7 bits"
    Bits8 "bits-8" Bits "8 bits" "Set 8 bits"
    BitsFloat "bits-float" Bits "float" "Leave the values as they are (32 bits)"
    Column "column" Bits "weights/act." "Switch between weight bits and activation bits"
    Visual "visual" Bits "select" "Start or end selecting many rows"
    SelectPattern "select-pattern" Bits "by pattern" "Select the layers that match a pattern"
    PasteBits "paste-bits" Bits "paste bits" "Give the selected layers the bits of the copied row"
    Pin "pin" Bits "pin" "Pin or unpin: the allocator keeps pinned bits"
    Tie "tie" Bits "tie" "Tie the selected layers: they share bits"
    Untie "untie" Bits "untie" "Untie the selected layers"
    Reset "reset" Bits "reset" "Set the selected layers back to the last automatic plan"
    Allocate "allocate" Bits "allocate" "Choose bits for all unpinned layers to fit a budget"
    SmallerBest "smaller-best" Bits "smaller best" "Go to the next smaller plan of the frontier"
    LargerBest "larger-best" Bits "larger best" "Go to the next larger plan of the frontier"
    SortTable "sort-table" Bits "sort" "Sort the table by network order, eigenvalue, sensitivity or omega"
    EditPlan "edit-plan" Bits "editor" "Edit the plan as a text in $VISUAL or $EDITOR"
    ComparePlan "compare-plan" Bits "compare" "Compare with another plan, or end the comparison"
    NextDifference "next-diff" Bits "next diff." "Go to the next row where the compared plans differ"
    PreviousDifference "previous-diff" Bits "prev. diff." "Go to the previous row where the compared plans differ"
    Metric "metric" Bits "metric" "Change the metric that predicts harm"

    Tune "tune" Tune "start" "Start fine-tuning the plan, or go on with a stopped run"
    TuneAnew "tune-anew" Tune "new run" "Start a new run from the trained float network"
    MoreEpochs "more-epochs" Tune "more epochs" "One epoch more"
    FewerEpochs "fewer-epochs" Tune "fewer epochs" "One epoch fewer"
    Schedule "schedule" Tune "schedule" "Switch between staged and joint fine-tuning"
    LearningRate "learning-rate" Tune "rate" "Change the learning rate of the next run"
    TrainingSettings "training-settings" Tune "settings" "Change any setting of the next run by its name, such as distill=0.7"
    CurveSpan "curve-span" Tune "whole/recent" "Show the curves of the whole run, or of its last steps"
    Smoothing "smoothing" Tune "smoothing" "Smooth the curves not at all, moderately or strongly"
    LossAxis "loss-axis" Tune "loss axis" "Show the loss on a linear or on a logarithmic axis"
    Runs "runs" Tune "runs" "Show the list of all runs, or go back to the run"
    MarkRun "mark-run" Tune "mark" "Mark the selected run to compare it, or take its mark away"
    CompareRuns "compare-runs" Tune "curves/table" "Compare the marked runs by their curves or by their numbers"
    OpenRun "open-run" Tune "open" "Make the selected run the one on screen, to resume or export it"
    Note "note" Tune "note" "Write a line about the run, which is kept in its folder"
    ChangeRate "change-rate" Tune "change rate" "Go on with this run at another learning rate"
    KeepBest "keep-best" Tune "keep best" "End this run with the network of its best epoch"

    Export "export" Export "export" "Write the selected format, read it back and compare"
    ExportPath "path" Export "path" "Change where the file is written"
}

impl FromStr for Command {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|command| command.name() == text);
        found.copied().ok_or_else(|| match nearest(text) {
            Some(near) => format!("unknown command `{text}`; did you mean `{near}`?"),
            None => format!("unknown command `{text}`; press : to see all commands"),
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn nearest(text: &str) -> Option<&'static str> {
    let names = Command::ALL.iter().map(|command| command.name());
    closest(text, names)
}

/// How well `query` fits `text`: its characters in order, together and early counts more.
/// `None` when they do not occur.
#[must_use]
pub fn fuzzy(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut score, mut at, mut previous) = (0i32, 0usize, None);
    for wanted in query.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let offset = text[at..].iter().position(|c| *c == wanted)?;
        let found = at + offset;
        let starts_word = found == 0 || !text[found - 1].is_alphanumeric();
        score += match previous {
            Some(before) if before + 1 == found => 8,
            _ if starts_word => 6,
            _ => -i32::try_from(offset.min(5)).unwrap_or(5),
        };
        (previous, at) = (Some(found), found + 1);
    }
    Some(score - i32::try_from(text.len() / 8).unwrap_or(i32::MAX).min(100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: BTreeSet<&str> = Command::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Command::ALL.len());
        for command in Command::ALL {
            assert_eq!(command.name().parse::<Command>().unwrap(), *command);
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let error = "alocate".parse::<Command>().unwrap_err();
        assert!(error.contains("`allocate`"), "{error}");
        let error = "xyzzyxyzzy".parse::<Command>().unwrap_err();
        assert!(error.contains("press :"), "{error}");
    }

    #[test]
    fn fuzzy_prefers_what_stands_together() {
        assert!(fuzzy("zz", "allocate").is_none());
        assert!(fuzzy("allo", "allocate") > fuzzy("allo", "a long lasting option"));
        assert!(fuzzy("", "anything").is_some());
    }
}
