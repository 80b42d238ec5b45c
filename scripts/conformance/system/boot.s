# Multiboot image of the system-mode fuzzer: takes a batch of cases out of the module and runs one after the other. What must be reachable
# from 16-bit code is in monitor.s, assembled for 0x10000 and copied there before each case. Layouts are mirrored in system-case.ts.
        .intel_syntax noprefix
        .set MONITOR, 0x10000
        .set REGION, 0x40000
        .set REGION_SIZE, 0x20000
        .set NEXT, 0x1efe0              # in the monitor's data: where to go when a case is done
        .set HEADER, 0x1e000
        .set FLAGS, 0x1efe4

        .text
        .code32
        .balign 4
        .long 0x1badb002, 0, -0x1badb002

        .globl _start
_start: cli
        cld
        lgdt [gdtr]
        ljmp 8, offset flat_code
flat_code:   mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov ss, eax
        lea esp, [stack_top]
        mov al, 0xff                    # no interrupts but those that cases make
        out 0x21, al
        out 0xa1, al
        mov esi, [ebx+24]               # the module
        mov esi, [esi]
        mov eax, [esi]
        mov [remaining], eax
        mov eax, [esi+4]
        mov [flags], eax
        add esi, 8
        mov [record], esi

case:   lea esp, [stack_top]
        dec dword ptr [remaining]
        js done
        mov esi, [record]               # an earlier case may have written into this one's record
        mov ecx, [esi]
        shr ecx, 2
        xor edx, edx
sum:    lodsd
        add edx, eax
        dec ecx
        jnz sum
        test edx, edx
        jnz hurt
        mov edi, MONITOR                # heal what the last case may have hurt
        lea esi, [monitor]
        mov ecx, offset monitor_end
        sub ecx, offset monitor
        rep movsb
        mov dword ptr [NEXT], offset case
        mov eax, [flags]
        mov [FLAGS], eax
        mov edi, REGION
        xor eax, eax
        mov ecx, REGION_SIZE/4
        rep stosd
        mov edi, 0x1f000                # the dump
        mov ecx, 1024
        rep stosd
        mov esi, [record]
        mov eax, esi
        add eax, [esi]
        mov [record], eax
        mov edi, HEADER
        mov ecx, 0x120
        rep movsb
        mov ecx, [HEADER+0x3c]          # MSRs stay where they are
        mov [0x1efe8], esi
        imul ecx, ecx, 12
        add esi, ecx
        mov edx, [HEADER+0x0c]
patch:  dec edx
        js enter
        lodsd
        mov edi, eax
        lodsd
        mov ecx, eax
        rep movsb
        add esi, 3
        and esi, -4
        jmp patch

enter:  mov eax, MONITOR
        jmp eax

hurt:   mov eax, 1
        jmp exit
done:   mov eax, 0
exit:   out 0xf4, eax
        hlt

        .balign 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:   .word 23
        .long gdt
        .balign 4
remaining: .long 0
flags:  .long 0
record: .long 0
monitor: .incbin "monitor.bin"
monitor_end:
        .bss
        .skip 4096
stack_top:
