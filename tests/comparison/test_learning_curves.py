from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from toy_duration_predictor.comparison.learning_curves import learning_curve


def test_files_of_the_same_second_are_one_curve_in_the_order_of_its_epochs(tmp_path):
    """As a run may have them that was interrupted in its second epoch; by their names, the second file comes first."""
    for number, epochs in ((9, (1, 2)), (10, (2, 3))):
        with SummaryWriter(str(tmp_path / str(number))) as writer:
            for epoch in epochs:
                writer.add_scalar("val/skill", epoch / 4, epoch)
        [file] = Path(tmp_path, str(number)).iterdir()
        file.rename(tmp_path / f"events.out.tfevents.1.host.1.{number}")
    assert learning_curve(tmp_path) == ([1, 2, 3], [0.25, 0.5, 0.75])
