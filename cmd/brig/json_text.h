#ifndef BRIG_CMD_JSON_TEXT_H
#define BRIG_CMD_JSON_TEXT_H

/* Takes the blanks and newlines between the tokens of valid JSON out of it, in place. */
void json_one_line(char *text);

#endif
