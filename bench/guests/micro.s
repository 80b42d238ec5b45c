# Small loops, each stressing one thing that emulators differ in. Static program without a C library: `micro N` runs loop N and exits.
# 0 integer arithmetic, 1 random memory over 64 MB, 2 indirect calls, 3 system calls, 4 SSE double arithmetic, 5 unpredictable branches, 6 rep movsq,
# 7 a bytecode interpreter that switches over 16 operations
    .intel_syntax noprefix
    .globl _start
    .text
_start:
    mov rsi, [rsp+16]
    movzx eax, byte ptr [rsi]
    sub eax, '0'
    lea rdx, [rip+table]
    movsxd rax, dword ptr [rdx+rax*4]
    add rax, rdx
    call rax
    xor edi, edi
    mov eax, 60
    syscall

integer:
    mov ecx, 30000000
    mov eax, 1
    mov ebx, 7
1:  imul eax, eax, 1664525
    add eax, 1013904223
    mov edx, eax
    shr edx, 13
    xor ebx, edx
    lea ebx, [rbx+rcx*2]
    dec ecx
    jnz 1b
    ret

memory:
    lea rdi, [rip+arena]
    mov ecx, 3000000
    mov eax, 12345
1:  imul eax, eax, 1103515245
    add eax, 12345
    mov edx, eax
    and edx, 0x3fffff8
    add [rdi+rdx], rcx
    dec ecx
    jnz 1b
    ret

calls:
    mov ecx, 4000000
    lea rbx, [rip+f0]
    lea rdx, [rip+f1]
1:  call rbx
    xchg rbx, rdx
    dec ecx
    jnz 1b
    ret
f0: add eax, 1
    ret
f1: add eax, 3
    ret

syscalls:
    mov r12d, 200000
1:  mov eax, 110
    syscall
    dec r12d
    jnz 1b
    ret

float:
    mov ecx, 5000000
    mov eax, 3
    cvtsi2sd xmm1, eax
    mov eax, 1
    cvtsi2sd xmm0, eax
    movapd xmm2, xmm0
1:  mulsd xmm0, xmm1
    addsd xmm0, xmm2
    divsd xmm0, xmm1
    dec ecx
    jnz 1b
    ret

branches:
    mov ecx, 10000000
    mov eax, 99
    xor ebx, ebx
1:  imul eax, eax, 1664525
    add eax, 1013904223
    test eax, 0x10000
    jz 2f
    inc ebx
2:  test eax, 0x800000
    jnz 3f
    dec ebx
3:  dec ecx
    jnz 1b
    ret

copy:
    mov edx, 400
1:  lea rsi, [rip+arena]
    lea rdi, [rip+arena+1048576]
    mov ecx, 131072
    rep movsq
    dec edx
    jnz 1b
    ret

bytecodes:
    lea rsi, [rip+program]
    lea rdi, [rip+operations]
    lea r8, [rip+arena]
    mov ecx, 20000000
    mov eax, 1
    mov ebx, 7
1:  movzx edx, byte ptr [rsi]
    inc rsi
    cmp edx, 15
    ja 3f
    movsxd rdx, dword ptr [rdi+rdx*4]
    add rdx, rdi
    jmp rdx
o0: add eax, ebx
    jmp 2f
o1: sub eax, edx
    jmp 2f
o2: xor ebx, eax
    jmp 2f
o3: rol eax, 5
    jmp 2f
o4: inc ebx
    jmp 2f
o5: imul eax, eax, 69069
    jmp 2f
o6: mov [r8], eax
    jmp 2f
o7: add ebx, [r8]
    jmp 2f
o8: xchg eax, ebx
    jmp 2f
o9: mov [r8+8], ebx
    jmp 2f
o10: mov eax, [r8+8]
    jmp 2f
o11: not eax
    jmp 2f
o12: lea eax, [rax+rbx*2+7]
    jmp 2f
o13: bswap ebx
    jmp 2f
o14: test eax, 4
    jz 2f
    inc rsi
    jmp 2f
o15: lea rsi, [rip+program]
2:  dec ecx
    jnz 1b
3:  ret

operations:
    .long o0-operations, o1-operations, o2-operations, o3-operations, o4-operations, o5-operations, o6-operations, o7-operations, o8-operations, o9-operations, o10-operations, o11-operations, o12-operations, o13-operations, o14-operations, o15-operations
program:
    .byte 0, 5, 14, 2, 6, 8, 3, 14, 12, 7, 0, 4, 1, 14, 9, 10, 13, 5, 0, 14, 2, 11, 3, 0, 5, 6, 14, 8, 7, 12, 0, 2
    .byte 4, 14, 3, 1, 5, 9, 0, 10, 2, 14, 13, 7, 6, 0, 14, 12, 11, 5, 8, 3, 0, 1, 14, 4, 2, 9, 7, 0, 5, 14, 15, 15

table:
    .long integer-table, memory-table, calls-table, syscalls-table, float-table, branches-table, copy-table, bytecodes-table

    .bss
    .balign 4096
arena:
    .skip 67112960
