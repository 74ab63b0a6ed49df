"""The programs; `data_prep` names what is not installed."""

import data_prep as data_prep
