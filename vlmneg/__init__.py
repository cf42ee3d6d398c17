"""vlmneg: hard negatives for CLIP: make them, train with them, measure what they teach."""

from vlmneg.build import VERSION as __version__
from vlmneg.build import build_info as build_info
from vlmneg.build import num_threads as num_threads
from vlmneg.build import set_num_threads as set_num_threads
from vlmneg import checkpoints as checkpoints
from vlmneg.config import ClipConfig as ClipConfig
from vlmneg import data as data
from vlmneg import optim as optim
from vlmneg.clip import Clip as Clip
from vlmneg import parts as parts
from vlmneg import lora as lora
from vlmneg import ensemble as ensemble
from vlmneg import benchmarks as benchmarks
from vlmneg import scoring as scoring
from vlmneg.evaluation import evaluate as evaluate
from vlmneg.tokenizer import Tokenizer as Tokenizer
from vlmneg import negatives as negatives
from vlmneg import images as images
from vlmneg import gnm as gnm
from vlmneg import losses as losses
from vlmneg.runs import latest_checkpoint as latest_checkpoint
from vlmneg.training import Record as Record
from vlmneg.training import train as train
from vlmneg import wise as wise
from vlmneg.comparison import compare as compare
