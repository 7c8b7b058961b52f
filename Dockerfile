# Two stages: the compiler stays in the first. What is in the image: Debian, four libraries, resnetd.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/deps.sh deploy/packages.txt deploy/
RUN deploy/deps.sh build
COPY Makefile ./
COPY include include
COPY core core
COPY server server
COPY deploy/models deploy/models
RUN make -j"$(nproc)" all && strip build/resnetd

FROM debian:bookworm-slim
RUN --mount=type=bind,source=deploy,target=/mnt/deploy /mnt/deploy/deps.sh image && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /src/build/resnetd /usr/local/bin/resnetd
COPY LICENSE deploy/models/LICENSE-DATA /usr/share/doc/resnetd/
ENV RESNETD_HOST=0.0.0.0 RESNETD_DEFAULT_MODEL=/mnt/models
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/resnetd", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/resnetd"]
CMD ["serve"]
