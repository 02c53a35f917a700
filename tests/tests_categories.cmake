# SPDX-License-Identifier: Apache-2.0
qn_test(NAME categories MODULES core memory data stats SOURCES unit/test_categories.c
  unit/categories_oracle.c LABELS unit)
