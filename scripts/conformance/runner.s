# Runs conformance cases on the processor it is executed on. Reads fixed-size records from standard input, writes one result per record.
# Assembled and linked by record.ts (as, ld); no C library. Layouts are mirrored in native.ts.
#
#   record (2304 bytes)                      result (2304 bytes)
#      0  general registers, RAX..R15          0  gregs of the signal frame: r8..r15 rdi rsi rbp rbx rdx rax rcx rsp rip
#    128  RFLAGS                                  eflags cs/gs/fs err trapno oldmask cr2 (23 x 8)
#    136  1 = 32-bit code (CS 0x23), 2 = 16-bit   184  ds es fs gs, 16 bits each
#    144  code, 112 bytes, padded with INT3
#    256  XSAVE image: x87, SSE, AVX         256  XSAVE image
#   1280  window: the last 1 KiB of the     1280  window
#         data page; the page after is absent
#
# 16-bit code runs from an LDT segment (0x07) based at the code page, with data and stack in another (0x0f) based at the data page.
# The LDT is made at the first such case, so that it is absent for those before.
#
# Every case ends in a signal: its own fault, or the INT3 behind it (or at a branch target, the page is full of them).
        .intel_syntax noprefix
        .set RECORD, 2304
        .set IMAGE, 832
        .set CODE, 0x08000000
        .set SLOT, 0x08000800
        .set DATA, 0x10000000
        .set WINDOW, 0x10000C00

        .bss
        .balign 64
current: .skip RECORD
result:  .skip RECORD
        .skip 16384
stack_top:
alternate: .skip 65536

        .data
        .balign 8
target64: .quad SLOT
target32: .long SLOT
        .word 0x23
        .balign 8
target16: .long SLOT-CODE
        .word 0x07
data16: .word 0x0f
has_ldt: .long 0
        .balign 8
code_descriptor: .long 0, CODE, 0xffff, 0x04    # struct user_desc: entry, base, limit, contents = code
data_descriptor: .long 1, DATA, 0xffff, 0x00
        .balign 8
action: .quad handler
        .quad 0x4c000004        # SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER
        .quad restorer
        .quad 0
altstack: .quad alternate
        .quad 0
        .quad 65536

        .text
        .globl _start
_start: mov edi, CODE
        call map_page
        mov edi, DATA
        call map_page
        mov edi, CODE
        mov al, 0xcc
        mov ecx, 4096
        rep stosb
        lea rdi, [rip+altstack]
        xor esi, esi
        mov eax, 131            # sigaltstack
        syscall
        mov edi, 4              # SIGILL
        call catch
        mov edi, 5              # SIGTRAP
        call catch
        mov edi, 7              # SIGBUS
        call catch
        mov edi, 8              # SIGFPE
        call catch
        mov edi, 11             # SIGSEGV
        call catch

next:   mov eax, 0x2b           # flat data segments for 32-bit code
        mov ds, eax
        mov es, eax
        xor eax, eax
        mov fs, eax
        mov gs, eax
        lea rsp, [rip+stack_top]
        lea rsi, [rip+current]
        mov r8d, RECORD
more:   xor edi, edi
        mov edx, r8d
        xor eax, eax            # read
        syscall
        test eax, eax
        jle done
        add rsi, rax
        sub r8d, eax
        jnz more

        mov edi, DATA
        xor eax, eax
        mov ecx, (WINDOW-DATA)/8
        rep stosq
        lea rsi, [rip+current+1280]
        mov ecx, 1024/8
        rep movsq
        mov edi, SLOT
        lea rsi, [rip+current+144]
        mov ecx, 14
        rep movsq

        cmp dword ptr [rip+current+136], 2
        jne load
        call make_ldt
        mov eax, 0x0f
        mov ds, eax
        mov es, eax
load:   mov eax, 7              # x87, SSE, AVX
        xor edx, edx
        xrstor [rip+current+256]
        push qword ptr [rip+current+128]
        cmp dword ptr [rip+current+136], 1
        mov rax, [rip+current]
        mov rcx, [rip+current+8]
        mov rdx, [rip+current+16]
        mov rbx, [rip+current+24]
        mov rbp, [rip+current+40]
        mov rsi, [rip+current+48]
        mov rdi, [rip+current+56]
        mov r8, [rip+current+64]
        mov r9, [rip+current+72]
        mov r10, [rip+current+80]
        mov r11, [rip+current+88]
        mov r12, [rip+current+96]
        mov r13, [rip+current+104]
        mov r14, [rip+current+112]
        mov r15, [rip+current+120]
        je wide32
        ja wide16
        popfq
        mov rsp, [rip+current+32]
        jmp [rip+target64]
wide32: popfq
        mov rsp, [rip+current+32]
        jmp fword ptr [rip+target32]

wide16: popfq
        mov ss, [rip+data16]
        mov rsp, [rip+current+32]
        jmp fword ptr [rip+target16]

handler: cld
        mov [rip+result+184], ds
        mov [rip+result+186], es
        mov [rip+result+188], fs
        mov [rip+result+190], gs
        mov rbx, rdx
        lea rsp, [rip+stack_top]
        lea rdi, [rip+result]
        lea rsi, [rbx+40]
        mov ecx, 23
        rep movsq
        mov rsi, [rbx+40+184]   # fpstate
        lea rdi, [rip+result+256]
        mov ecx, IMAGE/8
        rep movsq
        mov esi, WINDOW
        lea rdi, [rip+result+1280]
        mov ecx, 128
        rep movsq
        mov edi, 1
        lea rsi, [rip+result]
        mov edx, RECORD
        mov eax, 1              # write
        syscall
        jmp next

done:   xor edi, edi
        mov eax, 60             # exit
        syscall

# One readable, writable, executable page at rdi.
map_page: mov esi, 4096
        mov edx, 7
        mov r10d, 0x32          # MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        mov r8, -1
        xor r9d, r9d
        mov eax, 9              # mmap
        syscall
        cmp rax, rdi
        jne done
        ret

make_ldt: cmp dword ptr [rip+has_ldt], 0
        jne made
        mov edi, 0x11           # write
        lea rsi, [rip+code_descriptor]
        mov edx, 16
        mov eax, 154            # modify_ldt
        syscall
        mov edi, 0x11
        lea rsi, [rip+data_descriptor]
        mov edx, 16
        mov eax, 154
        syscall
        mov dword ptr [rip+has_ldt], 1
made:   ret

catch:  lea rsi, [rip+action]
        xor edx, edx
        mov r10d, 8
        mov eax, 13             # rt_sigaction
        syscall
        ret

restorer: mov eax, 15           # rt_sigreturn; never reached, every handler starts the next case
        syscall
