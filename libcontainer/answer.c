#include "container.h"

int container_answer_code(enum container_answer answer, int failed)
{
	static const int codes[] = {
		[ANSWER_BUSY] = CODE_BUSY,
		[ANSWER_REFUSED] = CODE_REFUSED,
		[ANSWER_NOT_ALLOWED] = CODE_NOT_ALLOWED,
	};

	return answer == ANSWER_FAILED ? failed : codes[answer];
}
