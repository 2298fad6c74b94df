/* R looks for R_init_<package> in the shared library; the Rust crate provides it under extendr's name. */
void R_init_mixedlm_extendr(void *dll);

void R_init_mixedlm(void *dll) {
    R_init_mixedlm_extendr(dll);
}
