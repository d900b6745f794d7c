//! How the numbers come about, and what the words mean.

use crate::report::html::{facts, heading, paragraph};
use crate::report::model::Report;

/// The words of the page.
const WORDS: [(&str, &str); 14] = [
    (
        "layer",
        "one weight tensor, its operation, and the activation it reads",
    ),
    (
        "eigenvalue",
        "lambda, the largest eigenvalue of the layer's own block of the Hessian of the mean loss",
    ),
    (
        "trace",
        "the trace of that block; the mean trace is the trace over the number of weights n",
    ),
    ("sensitivity", "S = lambda / n"),
    (
        "perturbation",
        "squared error of the weights when they are quantized",
    ),
    ("omega", "lambda times the perturbation at the chosen bits"),
    (
        "loss change",
        "the measured rise of the loss when this layer alone is quantized",
    ),
    (
        "plan",
        "bits of weights and activations of every layer, with pins and ties",
    ),
    (
        "pin, tie",
        "bits set by hand, which stay; layers that must share their weight bits",
    ),
    (
        "harm",
        "what a plan is predicted to cost: the sum of omega, of mean trace times perturbation, or of loss changes",
    ),
    (
        "stage",
        "one step of fine-tuning: more layers are quantized, then the network is trained",
    ),
    ("W-comp", "32 times the weights over the sum of their bits"),
    (
        "A-comp",
        "32 over the mean bits of activations; the image stays at 8 bits and outside of it",
    ),
    (
        "BOPs",
        "multiply-accumulates times bits of weights times bits of activations, summed over layers",
    ),
];

pub(super) fn html(_: &Report) -> String {
    let body = paragraph(
        "Layers whose loss is strongly curved suffer most from quantization. The largest \
         eigenvalue (HAWQ, arXiv 1905.03696) or the trace (HAWQ-V2, arXiv 1911.03852) of each \
         layer's block of the Hessian measures that curvature on training images; times the \
         perturbation it predicts the harm of a bit-width, and a plan gives every layer the bits \
         of least harm within a budget.",
    ) + &paragraph(
        "Fine-tuning starts from the trained float network, with weights and activations quantized \
         in the forward pass, gradients passed straight through, and step sizes learned (LSQ, \
         arXiv 1902.08153); staged runs quantize layers in descending omega. Validation images are \
         held out of the training images; the test images are evaluated once, at the end.",
    );
    let words = WORDS.map(|(word, meaning)| (word, meaning.to_owned()));
    super::section(5, &(body + &heading("Words") + &facts(&words)))
}
