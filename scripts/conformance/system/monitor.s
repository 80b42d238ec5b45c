# Puts a case's state in, and takes out what the first exception or interrupt finds. Linked at 0x10000, so that real mode reaches it with
# segment 0x1000. Runs in 32-bit flat mode between cases. Selectors of every case's GDT: 0x08 flat 32-bit code, 0x10 flat data, 0x18 16-bit
# code and 0x20 16-bit data based at 0x10000, 0x28 64-bit code.
        .intel_syntax noprefix
        .set HEADER, 0x1e000
        .set NEXT, 0x1efe0
        .set FLAGS, 0x1efe4
        .set MSRS, 0x1efe8
        .set STACK, 0x1ef00
        .set DUMP, 0x1f000
        .set REGION, 0x40000
        .set LOW, 0x10000
        .set INTERRUPTED_FLAGS, 0x4b024 # in the TSS

        # of the header
        .set KIND, HEADER+0x08
        .set IN_CR0, HEADER+0x10
        .set IN_CR4, HEADER+0x14
        .set IN_CR3, HEADER+0x18
        .set EFER, HEADER+0x1c
        .set GDTR, HEADER+0x20
        .set IDTR, HEADER+0x28
        .set LDTR, HEADER+0x30
        .set TR, HEADER+0x32
        .set DS_, HEADER+0x34
        .set ES_, HEADER+0x36
        .set FS_, HEADER+0x38
        .set GS_, HEADER+0x3a
        .set MSR_COUNT, HEADER+0x3c
        .set FRAME, HEADER+0x40
        .set GPRS, HEADER+0x88
        .set DRS, HEADER+0x108
        # of the dump
        .set VECTOR, DUMP+0x04
        .set ERROR, DUMP+0x08
        .set OUT_FRAME, DUMP+0x10
        .set OUT_GPRS, DUMP+0x58
        .set OUT_SEGMENTS, DUMP+0xd8
        .set OUT_CRS, DUMP+0xe8
        .set OUT_TABLES, DUMP+0x100
        .set OUT_SYSTEM, DUMP+0x110
        .set OUT_DRS, DUMP+0x118
        .set OUT_MSRS, DUMP+0x120
        .set SUMS, DUMP+0x178
        .set DUMP_SIZE, 0x200

        .text
        .code32
enter:  mov eax, [DRS]
        mov dr0, eax
        mov eax, [DRS+4]
        mov dr1, eax
        mov eax, [DRS+8]
        mov dr2, eax
        mov eax, [DRS+12]
        mov dr3, eax
        mov eax, 0xffff0ff0
        mov dr6, eax
        mov eax, [HEADER+4]
        mov [DUMP], eax
        xor edi, edi                    # real mode's vectors
        mov eax, 0x10000000 + (real_stubs - enter)
        mov ecx, 256
ivt:    stosd
        add eax, 6
        loop ivt
        lgdt [GDTR]
        lidt [IDTR]
        mov ax, [LDTR]
        lldt ax
        mov ax, [TR]
        test ax, ax
        jz no_task
        ltr ax
no_task: cmp dword ptr [KIND], 0
        je no_segments
        mov es, [ES_]
        mov fs, [FS_]
        mov gs, [GS_]
no_segments: mov esi, [MSRS]
        mov ebx, [MSR_COUNT]
msr:    dec ebx
        js modes
        mov ecx, [esi]
        mov eax, [esi+4]
        mov edx, [esi+8]
        wrmsr
        add esi, 12
        jmp msr
modes:  mov eax, [IN_CR4]
        mov cr4, eax
        mov eax, [IN_CR3]
        mov cr3, eax
        mov ecx, 0xc0000080
        mov eax, [EFER]
        xor edx, edx
        wrmsr
        xor eax, eax
        mov cr2, eax
        mov eax, [DRS+16]
        mov dr7, eax
        cmp dword ptr [KIND], 0
        je to_real
        mov eax, [IN_CR0]
        mov cr0, eax
        jmp switched
switched: cmp dword ptr [KIND], 2
        je to_long

        # Legacy protected mode, virtual-8086 mode. Without a change of privilege IRET leaves the stack alone.
        mov esp, STACK
        test dword ptr [FRAME+18], 2    # VM
        jz no_vm
        push dword ptr [FRAME+64]
        push dword ptr [FRAME+56]
        push dword ptr [FRAME+48]
        push dword ptr [FRAME+40]
        jmp outer
no_vm:  test byte ptr [FRAME+8], 3
        jnz outer
        mov ss, [FRAME+32]
        mov esp, [FRAME+24]
        jmp inner
outer:  push dword ptr [FRAME+32]
        push dword ptr [FRAME+24]
inner:  push dword ptr [FRAME+16]
        push dword ptr [FRAME+8]
        push dword ptr [FRAME]
        push dword ptr [GPRS]
        push dword ptr [GPRS+8]
        push dword ptr [GPRS+16]
        push dword ptr [GPRS+24]
        push dword ptr [GPRS+32]
        push dword ptr [GPRS+40]
        push dword ptr [GPRS+48]
        push dword ptr [GPRS+56]
        push dword ptr [DS_]
        pop ds
        popad
        iretd

to_long: ljmp 0x28, offset in_long
        .code64
in_long: mov esp, STACK
        push qword ptr [FRAME+32]
        push qword ptr [FRAME+24]
        push qword ptr [FRAME+16]
        push qword ptr [FRAME+8]
        push qword ptr [FRAME]
        mov ds, [DS_]
        mov rax, [GPRS]
        mov rcx, [GPRS+8]
        mov rdx, [GPRS+16]
        mov rbx, [GPRS+24]
        mov rbp, [GPRS+40]
        mov rsi, [GPRS+48]
        mov rdi, [GPRS+56]
        mov r8, [GPRS+64]
        mov r9, [GPRS+72]
        mov r10, [GPRS+80]
        mov r11, [GPRS+88]
        mov r12, [GPRS+96]
        mov r13, [GPRS+104]
        mov r14, [GPRS+112]
        mov r15, [GPRS+120]
        iretq

        .code32
to_real: ljmp 0x18, in_16 - enter
        .code16
in_16:  mov ax, 0x20
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov eax, [IN_CR0-LOW]
        mov cr0, eax
        ljmp 0x1000, in_real - enter
in_real: mov ax, 0x1000
        mov ds, ax
        mov ss, [FRAME+32-LOW]
        mov esp, [FRAME+24-LOW]
        push word ptr [FRAME+16-LOW]
        push word ptr [FRAME+8-LOW]
        push word ptr [FRAME-LOW]
        push dword ptr [GPRS-LOW]
        push dword ptr [GPRS+8-LOW]
        push dword ptr [GPRS+16-LOW]
        push dword ptr [GPRS+24-LOW]
        push dword ptr [GPRS+32-LOW]
        push dword ptr [GPRS+40-LOW]
        push dword ptr [GPRS+48-LOW]
        push dword ptr [GPRS+56-LOW]
        mov es, [ES_-LOW]
        mov fs, [FS_-LOW]
        mov gs, [GS_-LOW]
        push word ptr [DS_-LOW]
        pop ds
        popad
        iret

        # --- what comes out: a stub of fixed size per vector and mode ---------------------------------------------------------
real_stubs: .set n, 0
        .rept 256
        .byte 0x68                      # push imm16
        .word n
        .byte 0xe9                      # jmp rel16
        .word real_common - . - 2
        .set n, n + 1
        .endr
real_common: pushad
        push ds
        push es
        push fs
        push gs
        mov ax, 0x1000
        mov ds, ax
        pop word ptr [OUT_SEGMENTS+12-LOW]
        pop word ptr [OUT_SEGMENTS+8-LOW]
        pop word ptr [OUT_SEGMENTS+4-LOW]
        pop word ptr [OUT_SEGMENTS-LOW]
        pop dword ptr [OUT_GPRS+56-LOW]
        pop dword ptr [OUT_GPRS+48-LOW]
        pop dword ptr [OUT_GPRS+40-LOW]
        pop dword ptr [OUT_GPRS+32-LOW]
        pop dword ptr [OUT_GPRS+24-LOW]
        pop dword ptr [OUT_GPRS+16-LOW]
        pop dword ptr [OUT_GPRS+8-LOW]
        pop dword ptr [OUT_GPRS-LOW]
        pop word ptr [VECTOR-LOW]
        pop word ptr [OUT_FRAME-LOW]
        pop word ptr [OUT_FRAME+8-LOW]
        pop word ptr [OUT_FRAME+16-LOW]
        mov [OUT_FRAME+24-LOW], esp
        mov [OUT_FRAME+32-LOW], ss
        mov eax, cr0
        mov [OUT_CRS-LOW], eax
        mov eax, cr4
        mov [OUT_CRS+16-LOW], eax
        sidt [OUT_TABLES+8-LOW]
        lgdt [own_gdtr-enter]
        mov eax, 0x11
        mov cr0, eax
        .byte 0x66, 0xea                # far jump to 32-bit code
        .long from_real
        .word 8
        .code32
from_real: mov eax, 0x10
        mov ds, eax
        mov ss, eax
        jmp dump

        .set n, 0
stubs32: .rept 256
        .if n == 8 || (n >= 10 && n <= 14) || n == 17 || n == 21
        .byte 0x90, 0x90
        .else
        .byte 0x6a, 0                   # push 0 for the error code
        .endif
        .byte 0x68
        .long n
        .byte 0xe9
        .long common32 - . - 4
        .set n, n + 1
        .endr
common32: and dword ptr [esp+16], 0xfffeffff # RF, which TCG does not set
        pushad
        push ds
        push es
        push fs
        push gs
        mov eax, 0x10
        mov ds, eax
        pop dword ptr [OUT_SEGMENTS+12]
        pop dword ptr [OUT_SEGMENTS+8]
        pop dword ptr [OUT_SEGMENTS+4]
        pop dword ptr [OUT_SEGMENTS]
        pop dword ptr [OUT_GPRS+56]
        pop dword ptr [OUT_GPRS+48]
        pop dword ptr [OUT_GPRS+40]
        pop dword ptr [OUT_GPRS+32]
        pop dword ptr [OUT_GPRS+24]
        pop dword ptr [OUT_GPRS+16]
        pop dword ptr [OUT_GPRS+8]
        pop dword ptr [OUT_GPRS]
        pop dword ptr [VECTOR]
        pop dword ptr [ERROR]
        mov dword ptr [esp-4], 0        # compared once, in the dump
        pop dword ptr [OUT_FRAME]
        pop dword ptr [OUT_FRAME+8]
        pop dword ptr [OUT_FRAME+16]
        test dword ptr [OUT_FRAME+18], 2
        jnz from_vm
        test byte ptr [OUT_FRAME+8], 3
        jnz from_outer
        mov [OUT_FRAME+24], esp
        mov [OUT_FRAME+32], ss
        jmp leave32
from_vm: pop dword ptr [OUT_FRAME+24]
        pop dword ptr [OUT_FRAME+32]
        pop dword ptr [OUT_FRAME+40]
        pop dword ptr [OUT_FRAME+48]
        pop dword ptr [OUT_FRAME+56]
        pop dword ptr [OUT_FRAME+64]
        jmp leave32
from_outer: pop dword ptr [OUT_FRAME+24]
        pop dword ptr [OUT_FRAME+32]
leave32: mov eax, cr0
        mov [OUT_CRS], eax
        mov eax, cr2
        mov [OUT_CRS+4], eax
        mov eax, cr3
        mov [OUT_CRS+12], eax
        mov eax, cr4
        mov [OUT_CRS+16], eax
        mov eax, 0x11
        mov cr0, eax
        jmp tables

        # The double fault's task.
        .globl double_fault
double_fault: mov eax, 0x10
        mov ds, eax
        mov dword ptr [VECTOR], 8
        and dword ptr [INTERRUPTED_FLAGS], 0xfffeffff
        pop dword ptr [ERROR]
        jmp leave32

        .code64
        .set n, 0
stubs64: .rept 256
        .if n == 8 || (n >= 10 && n <= 14) || n == 17 || n == 21
        .byte 0x90, 0x90
        .else
        .byte 0x6a, 0
        .endif
        .byte 0x68
        .long n
        .byte 0xe9
        .long common64 - . - 4
        .set n, n + 1
        .endr
common64: mov [OUT_GPRS], rax
        mov [OUT_GPRS+8], rcx
        mov [OUT_GPRS+16], rdx
        mov [OUT_GPRS+24], rbx
        mov [OUT_GPRS+40], rbp
        mov [OUT_GPRS+48], rsi
        mov [OUT_GPRS+56], rdi
        mov [OUT_GPRS+64], r8
        mov [OUT_GPRS+72], r9
        mov [OUT_GPRS+80], r10
        mov [OUT_GPRS+88], r11
        mov [OUT_GPRS+96], r12
        mov [OUT_GPRS+104], r13
        mov [OUT_GPRS+112], r14
        mov [OUT_GPRS+120], r15
        and dword ptr [rsp+32], 0xfffeffff
        pop qword ptr [VECTOR]          # its upper half is the error code's lower, written next
        pop qword ptr [ERROR]
        mov qword ptr [rsp-8], 0
        mov [OUT_GPRS+32], rsp
        pop qword ptr [OUT_FRAME]
        pop qword ptr [OUT_FRAME+8]
        pop qword ptr [OUT_FRAME+16]
        pop qword ptr [OUT_FRAME+24]
        pop qword ptr [OUT_FRAME+32]
        mov [OUT_SEGMENTS], ds
        mov [OUT_SEGMENTS+4], es
        mov [OUT_SEGMENTS+8], fs
        mov [OUT_SEGMENTS+12], gs
        mov rax, cr0
        mov [OUT_CRS], eax
        mov rax, cr2
        mov [OUT_CRS+4], rax
        mov rax, cr3
        mov [OUT_CRS+12], eax
        mov rax, cr4
        mov [OUT_CRS+16], eax
        mov ecx, 0xc0000080
        rdmsr
        mov [OUT_CRS+20], eax
        push 8
        mov eax, offset from_long
        push rax
        .byte 0x48, 0xcb                # far return
        .code32
from_long: mov eax, 0x10
        mov ds, eax
        mov ss, eax
        mov eax, 0x11
        mov cr0, eax
        jmp tables

        # --- 32-bit flat mode again -----------------------------------------------------------------------------------------------
tables: sidt [OUT_TABLES+8]
dump:   mov ss, [own_data]
        mov esp, STACK
        push 2
        popfd
        sgdt [OUT_TABLES]
        sldt [OUT_SYSTEM]
        str [OUT_SYSTEM+4]
        mov eax, dr6
        mov [OUT_DRS], eax
        mov eax, dr7
        mov [OUT_DRS+4], eax
        mov eax, 0x400
        mov dr7, eax
        cmp dword ptr [KIND], 0
        je no_bases
        mov edi, OUT_MSRS
        lea esi, [msr_list]
        mov ebx, 11
read:   mov ecx, [esi]
        rdmsr
        mov [edi], eax
        mov [edi+4], edx
        add esi, 4
        add edi, 8
        dec ebx
        jnz read
no_bases: lgdt [own_gdtr]
        lidt [no_idt]
        ljmp 8, offset flat_code
flat_code:   mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        mov ss, eax
        xor eax, eax
        lldt ax
        mov eax, cr4
        xor eax, eax
        mov cr4, eax
        mov ecx, 0xc0000080
        xor edx, edx
        xor eax, eax
        wrmsr
        mov esi, REGION
        mov edi, SUMS
        mov ebx, 32
page:   xor edx, edx
        mov ecx, 1024
sum:    lodsd
        add edx, eax
        rol edx, 5
        dec ecx
        jnz sum
        mov [edi], edx
        add edi, 4
        dec ebx
        jnz page
        mov edx, 0xe9
        mov esi, DUMP
        mov ecx, DUMP_SIZE
        rep outsb
        test byte ptr [FLAGS], 1
        jz next
        mov esi, REGION
        mov ecx, 0x20000
        rep outsb
next:   jmp [NEXT]

        .balign 8
own_gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
own_gdtr: .word 23
        .long own_gdt
no_idt: .word 0
        .long 0
own_data: .word 0x10
        .balign 4
msr_list: .long 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0x174, 0x175, 0x176, 0x277
        .globl real_stubs, stubs32, stubs64
        .globl monitor_end
monitor_end:
