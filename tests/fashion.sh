# Shell functions that read Fashion-MNIST, for tests that use curl. To be sourced.
# shellcheck shell=bash
FASHION=${FASHION:-/usr/share/datasets/fashion-mnist}

# fashion_image N: test image N as the JSON body of POST /infer, normalised as the models were trained
fashion_image() {
    zcat "$FASHION/t10k-images-idx3-ubyte.gz" 2>/dev/null | tail -c +$((17 + 784 * $1)) | head -c 784 |
        od -An -v -t u1 -w784 | awk '{
            printf "{\"shape\":[1,1,28,28],\"input\":["
            for (i = 1; i <= NF; i++) printf "%s%.6g", (i > 1 ? "," : ""), ($i / 255 - 0.2860) / 0.3530
            printf "]}"
        }'
}

# fashion_label N: its class, 0 to 9
fashion_label() {
    zcat "$FASHION/t10k-labels-idx1-ubyte.gz" 2>/dev/null | tail -c +$((9 + $1)) | head -c 1 | od -An -t u1 | tr -d ' '
}
