#ifndef BRIG_SPECS_NETWORK_TABLE_H
#define BRIG_SPECS_NETWORK_TABLE_H

#include "specs/table.h"

/* For tables of objects that have a struct brig_network as property. */
extern const struct json_type brig_network_type_;

#endif
