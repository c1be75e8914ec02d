"""--cfg-options: what passes, what is refused, and where `data_root` goes."""
import pytest
from mmengine.config import Config

import dcglr_mm  # noqa: F401
from dcglr_mm.engine.config_loading import find_config, load_config_with_overrides, parse_options
from dcglr_mm.engine.overrides import check_overrides, spread_data_root

from .conftest import TOY_CONFIG


@pytest.fixture(scope='module')
def toy() -> Config:
    return Config.fromfile(TOY_CONFIG)


@pytest.mark.parametrize('key', [
    'optim_wrapper.optimizer.lr', 'train_dataloader.batch_size', 'model.norm',
    'custom_hooks.0.type',
    # not in the config, but read by the runner or by the class whose config they are added to
    'load_from', 'resume', 'randomness.deterministic', 'train_cfg.val_interval',
    'train_dataloader.persistent_workers', 'default_hooks.checkpoint.save_best', 'work_dir',
    'optim_wrapper.clip_grad.max_norm', 'optim_wrapper.accumulative_counts', 'env_cfg.dist_cfg.x',
    'default_hooks.early_stop.type', 'model.slow_seconds', 'train_dataloader.dataset.bad_row',
])
def test_known_keys_pass(toy, key):
    check_overrides(toy, {key: 1})


@pytest.mark.parametrize('key,hint', [
    ('optim_wraper.lr', "unknown config key 'optim_wraper'; did you mean 'optim_wrapper'"),
    ('data_rot', "did you mean 'data_root'"),
    ('model.norms', "unknown config key 'norms' in 'model'; did you mean 'norm'"),
    ('model.k', "unknown config key 'k' in 'model'; known here: "),
    ('train_cfg.max_epoch', "in 'train_cfg'; did you mean 'max_epochs'"),
    ('train_dataloader.batchsize', "did you mean 'batch_size'"),
    ('train_dataloader.dataset.data_rot', "did you mean 'data_root'"),
    ('default_hooks.chekpoint.interval', "did you mean 'checkpoint'"),
    ('custom_hooks.2.type', "'custom_hooks' is a list of 2, so '2' must be an index from 0 to 1"),
    ('custom_hooks.first', "so 'first' must be an index"),
    ('train_cfg.by_epoch.x', "'train_cfg.by_epoch' is True, which has no key 'x'"),
    ('randomness.sed', "did you mean 'seed'"),
    ('max_epochs', 'train_cfg.max_epochs'),
])
def test_unknown_keys_are_refused_with_the_nearest_known_ones(toy, key, hint):
    with pytest.raises(ValueError) as caught:
        check_overrides(toy, {key: 1})
    assert str(caught.value).startswith(f'--cfg-options {key}: ')
    assert hint in str(caught.value)


@pytest.mark.parametrize('option, message', [
    ('optim_wrapper.optimizer.lr=abc', "lr: expected a number, as 0.1 in the config, found 'abc'"),
    ('train_dataloader.batch_size=', "batch_size: expected a number, as 4 in the config, found ''"),
    ('train_cfg.by_epoch=Ture', "by_epoch: expected True or False, as True in the config, found"),
    ('log_level=LOUD', "log_level is 'LOUD', expected DEBUG, INFO"),
])
def test_values_of_another_kind_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        load_config_with_overrides(TOY_CONFIG, [option])


def test_new_keys_pass_where_they_are_allowed():
    cfg = load_config_with_overrides(TOY_CONFIG, ['anything.at_all=3'], allow_new_keys=True)
    assert cfg.anything.at_all == 3


def test_options_are_parsed_by_mmengines_rules():
    assert parse_options(['a.b=1', 'c=[1,2]', 'd=x', 'e=(3,4)', 'f=True', 'g=k=v']) == {
        'a.b': 1, 'c': [1, 2], 'd': 'x', 'e': (3, 4), 'f': True, 'g': 'k=v'}
    assert parse_options([]) == {}
    with pytest.raises(ValueError, match="'seed' is not of the form key=value"):
        parse_options(['seed'])


def test_data_root_reaches_every_dataset_and_what_lies_below_it():
    cfg = Config(dict(
        data_root='old/',
        train_dataloader=dict(dataset=dict(type='Repeat', dataset=dict(data_root='old/'))),
        val=[dict(data_root='old/', ann_file='old/val.txt'), dict(data_root='other')],
        older='older/file'))
    assert spread_data_root(cfg, 'old/', '/new') == 3
    assert cfg.train_dataloader.dataset.dataset.data_root == '/new'
    assert cfg.val[0] == dict(data_root='/new', ann_file='/new/val.txt')
    assert cfg.val[1].data_root == 'other'
    assert cfg.older == 'older/file'


def test_data_root_without_a_top_level_variable_goes_to_the_only_root_there_is():
    cfg = Config(dict(a=dict(data_root='x'), b=dict(data_root='x')))
    spread_data_root(cfg, None, 'y')
    assert (cfg.a.data_root, cfg.b.data_root) == ('y', 'y')


def test_data_root_that_fits_nowhere_is_refused():
    with pytest.raises(ValueError, match=r"different roots \['x', 'z'\]"):
        spread_data_root(Config(dict(a=dict(data_root='x'), b=dict(data_root='z'))), None, 'y')
    with pytest.raises(ValueError, match='no dataset of this config reads a data_root'):
        spread_data_root(Config(dict(model=dict(type='M'))), None, 'y')


def test_loading_spreads_data_root_and_makes_checkpoints_safe():
    cfg = load_config_with_overrides(TOY_CONFIG, ['data_root=/new', 'train_cfg.max_epochs=7'])
    assert cfg.train_dataloader.dataset.data_root == cfg.data_root == '/new'
    assert cfg.train_cfg.max_epochs == 7
    assert cfg.default_hooks.checkpoint == dict(
        type='dcglr_mm.SafeCheckpointHook', interval=1, max_keep_ckpts=1)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="optimizer.type: unknown optimizer 'SDG'; .* 'SGD'"):
        load_config_with_overrides(TOY_CONFIG, ['optim_wrapper.optimizer.type=SDG'])


def test_a_config_is_found_below_the_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config('configs/_base_/default_runtime.py').endswith('default_runtime.py')
    with pytest.raises(FileNotFoundError, match='config file no/such.py does not exist'):
        find_config('no/such.py')


def test_each_data_root_goes_to_its_own_datasets(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("data_root = 'a'\nsvm_data_root = 'b'\n"
                    'train_dataloader = dict(dataset=dict(data_root=data_root))\n'
                    'custom_hooks = [dict(train_dataset=dict(data_root=svm_data_root))]\n')
    cfg = load_config_with_overrides(str(path), ['svm_data_root=c', 'data_root=d'])
    assert cfg.train_dataloader.dataset.data_root == 'd'
    assert cfg.custom_hooks[0].train_dataset.data_root == 'c'


def test_blanks_stay_in_a_value_and_a_data_root_is_taken_as_written():
    assert parse_options(['a=two words', "b='x y'", 'data_root=/my data/set (1), new',
                          'c.dataset.data_root=[x]', 'svm_data_root=2024', 'd.data_root=None']) == {
        'a': 'two words', 'b': 'x y', 'data_root': '/my data/set (1), new',
        'c.dataset.data_root': '[x]', 'svm_data_root': '2024', 'd.data_root': None}


def test_brackets_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match='--cfg-options a.b: Imbalanced brackets'):
        parse_options(['a.b=[1,(2]'])


@pytest.mark.parametrize('name,known', [
    ('optim_wraper', 'optim_wrapper'), ('custom_hook', 'custom_hooks'),
    ('train_dataloder', 'train_dataloader')])
def test_a_misspelt_section_of_a_file_is_refused(tmp_path, name, known):
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = [{TOY_CONFIG!r}]\n{name} = dict(x=1)\nmy_optimizer = dict(lr=1)\n')
    with pytest.raises(ValueError, match=f"has '{name}', which nothing reads; .*'{known}'"):
        load_config_with_overrides(str(path))
    assert load_config_with_overrides(str(path), allow_new_keys=True)[name].x == 1


def test_a_misspelt_default_hook_is_refused_and_one_more_hook_is_not(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("default_hooks = dict(loger=dict(type='LoggerHook'))\n")
    with pytest.raises(ValueError, match="default_hooks has 'loger', .*did you mean 'logger'"):
        load_config_with_overrides(str(path))
    path.write_text("default_hooks = dict(visualization=dict(type='LoggerHook'))\n")
    load_config_with_overrides(str(path))
