"""The page's controls beside the picture, each with a sentence of help."""

from typing import NamedTuple

import gradio as gr

from toy_duration_predictor.demo.choices import LAST_SEED, MOST_STRENGTH, MOST_TEMPERATURE, Choices
from toy_duration_predictor.demo.uploads import MOST_FILES
from toy_duration_predictor.inference.predictor import Predictor


class Controls(NamedTuple):
    """The controls; see `make_controls`."""

    another: gr.Button
    seed: gr.Number
    upload: gr.File
    track: gr.Dropdown
    pack: gr.Button
    refused: gr.Markdown
    packed: gr.File
    strength: gr.Slider
    temperature: gr.Slider
    recording: gr.File
    link: gr.Textbox


def make_controls(predictor: Predictor, start: Choices) -> Controls:
    """Puts the controls on the page, below each other.

    Args:
        predictor: The model; controls that it has no use for are hidden.
        start: What is chosen at first.
    """
    samples = predictor.has_distribution
    with gr.Group():
        another = gr.Button("Another take", variant="primary", visible=samples, elem_id="another")
        seed = gr.Number(
            start.seed,
            label="Seed",
            info="The number of the take. The same seed gives the same take again.",
            precision=0,
            minimum=0,
            maximum=LAST_SEED,
            visible=samples,
            elem_id="seed",
        )
    # Which files can be used is said by the server, for each. A browser would pass over others without a word.
    upload = gr.File(
        label="Your own songs: MIDI files",
        file_count="multiple",
        height=150,
        elem_id="upload",
    )
    track = gr.Dropdown(
        [],
        label="Track",
        info="Which notes are the voice. All others stay as they are.",
        visible=False,
        elem_id="track",
    )
    pack = gr.Button("Sing all files", visible=False, elem_id="pack")
    refused = gr.Markdown(elem_id="refused")
    packed = gr.File(label="All files, sung by all chosen singers", interactive=False, visible=False, elem_id="packed")
    strength = gr.Slider(
        0,
        MOST_STRENGTH,
        start.strength,
        step=0.05,
        label="Strength",
        info="How far the timing goes: 0 is the score, 1 the model.",
        elem_id="strength",
    )
    temperature = gr.Slider(
        0,
        MOST_TEMPERATURE,
        start.temperature,
        step=0.05,
        label="Temperature",
        info="How much chance there is in a take. At 0 there is one take: the one with the least expected error.",
        visible=samples,
        elem_id="temperature",
    )
    with gr.Accordion("Sing like a recording", open=False, visible=predictor.reads_style, elem_id="like"):
        gr.Markdown(
            f"MIDI files of somebody's singing, with the notes where they were sung; up to {MOST_FILES}. Their singer "
            "then stands first among the singers."
        )
        recording = gr.File(
            label="Recordings: MIDI files",
            file_count="multiple",
            height=150,
            elem_id="recording",
        )
    link = gr.Textbox(
        label="Link to these settings",
        info="It carries all settings but your own files.",
        interactive=False,
        buttons=["copy"],
        max_lines=1,
        elem_id="link",
    )
    return Controls(another, seed, upload, track, pack, refused, packed, strength, temperature, recording, link)
