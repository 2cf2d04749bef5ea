#ifndef BRIG_SPECS_CHANGE_TABLE_H
#define BRIG_SPECS_CHANGE_TABLE_H

#include "specs/table.h"

/* For tables of objects that have a list of struct brig_change as property. */
extern const struct json_type brig_change_type_;

#endif
