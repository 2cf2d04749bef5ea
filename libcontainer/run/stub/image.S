/* The stub's ELF file as bytes; STUB_PATH is given by the Makefile. */
	.section .rodata
	.balign 16
	.globl stub_image
	.globl stub_image_end
stub_image:
	.incbin STUB_PATH
stub_image_end:
	.section .note.GNU-stack, "", %progbits
